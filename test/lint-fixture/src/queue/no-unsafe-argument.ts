// violates: typescript/no-unsafe-argument
const take = (value: number) => value;
export const run = (text: string) => take(JSON.parse(text));
