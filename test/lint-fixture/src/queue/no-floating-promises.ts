// violates: typescript/no-floating-promises
const later = async () => 1;
export function start() {
  later();
}
