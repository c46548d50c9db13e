// violates: typescript/no-unsafe-assignment
export function read(text: string) {
  const value: { a: number } = JSON.parse(text);
  return value;
}
