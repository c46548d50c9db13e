// violates: typescript/only-throw-error
export function stop() {
  throw "stop";
}
