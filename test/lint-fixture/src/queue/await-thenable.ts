// violates: typescript/await-thenable
export async function read(value: number) {
  await value;
}
