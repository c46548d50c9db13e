// violates: typescript/return-await
const later = async () => 1;
export async function read() {
  try {
    return later();
  } catch {
    return 0;
  }
}
