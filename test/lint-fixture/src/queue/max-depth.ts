// violates: eslint/max-depth
export function deep(a: boolean, b: boolean, c: number) {
  if (a) {
    if (b) {
      if (c > 1) {
        if (c > 2) {
          if (c > 3) return 1;
        }
      }
    }
  }
  return 2;
}
