// violates: typescript/no-unsafe-call
export function run(text: string) {
  JSON.parse(text)();
}
