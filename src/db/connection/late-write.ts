import { inspect } from "node:util";

let guarded = false;

/**
 * Keeps a bug of the driver from ending the process. From a timer, whose errors no caller can catch, postgres.js 3.4 writes
 * to a connection that has just closed. The query never settles; its deadline ends it. Every other uncaught error still
 * ends the process.
 * @see https://github.com/porsager/postgres/issues/1154
 */
export function surviveLateWrites(): void {
  if (guarded) return;
  guarded = true;
  process.on("uncaughtException", (error) => {
    if (isLateWrite(error)) return;
    // Another listener, such as a test runner, decides by itself.
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
