import { inspect } from "node:util";

let guarded = false;

/**
 * Keeps a fault of the driver from ending the process: postgres.js 3.4 writes to a connection that has just closed
 * from a timer, where no caller can catch it. The query itself never settles; its deadline ends it. Every other
 * uncaught error ends the process as ever.
 * @see https://github.com/porsager/postgres/issues/1154
 */
export function surviveLateWrites(): void {
  if (guarded) return;
  guarded = true;
  process.on("uncaughtException", (error) => {
    if (isLateWrite(error)) return;
    // Where others listen, such as a test runner, it is theirs to judge.
    if (process.listenerCount("uncaughtException") > 1) return;
    process.stderr.write(`${inspect(error)}\n`);
    process.exit(1);
  });
}

function isLateWrite(error: unknown): boolean {
  return (
    error instanceof TypeError && /\bnextWrite \(.*[\\/]postgres[\\/]src[\\/]connection\.js/.test(error.stack ?? "")
  );
}
