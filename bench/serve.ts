import { inspect } from "node:util";

type Methods = Record<string, (options: never) => unknown>;

/** What the parent gave this process at its start. */
export function givenSettings(): unknown {
  return JSON.parse(process.argv[2] ?? "null");
}

/** Tells the parent something that it did not ask for. */
export function tell(event: unknown): void {
  // A parent that has let go wants to hear no more.
  if (process.connected) process.send?.({ event });
}

/** Answers the parent's calls until it lets go; then `close` is called and the process ends. */
export function serve(methods: Methods, close: () => Promise<unknown>): void {
  process.on("message", ({ id, method, options }: { id: number; method: string; options: unknown }) => {
    const called = async () => (methods[method] as (given: unknown) => unknown)(options);
    called().then(
      (value) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: inspect(error) }),
    );
  });
  process.once("disconnect", () => {
    // What does not close in time is ended with its process: nothing is measured any more.
    setTimeout(() => process.exit(1), CLOSE_LIMIT_MS).unref();
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}

const CLOSE_LIMIT_MS = 10_000;
