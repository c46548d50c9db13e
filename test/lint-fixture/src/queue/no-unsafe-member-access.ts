// violates: typescript/no-unsafe-member-access
export function run(text: string) {
  return Boolean(JSON.parse(text).a);
}
