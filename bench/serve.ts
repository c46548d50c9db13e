import { inspect } from "node:util";

type Methods = Record<string, (options: never) => unknown>;

/** The settings that the parent passed to this process. */
export function readSettings(): unknown {
  return JSON.parse(process.argv[2] ?? "null");
}

/** Sends the parent an event. */
export function sendEvent(event: unknown): void {
  if (process.connected) process.send?.({ event });
}

/** Answers the parent's calls until it disconnects, then calls `close` and ends the process. */
export function serve(methods: Methods, close: () => Promise<unknown>): void {
  process.on("message", ({ id, method, options }: { id: number; method: string; options: unknown }) => {
    const called = async () => (methods[method] as (given: unknown) => unknown)(options);
    called().then(
      (value) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: inspect(error) }),
    );
  });
  process.once("disconnect", () => {
    // Nothing is measured any more, so a `close` that hangs may be cut short.
    setTimeout(() => process.exit(1), CLOSE_TIMEOUT_MS).unref();
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}

const CLOSE_TIMEOUT_MS = 10_000;
