// violates: eslint/no-param-reassign
export function add(a: number) {
  a += 1;
  return a;
}
