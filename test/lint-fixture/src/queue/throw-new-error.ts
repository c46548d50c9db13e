// violates: unicorn/throw-new-error
export function stop() {
  throw Error("stop");
}
