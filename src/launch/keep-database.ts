import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import type { EmbeddedPostgres } from "#db";
import { RestartDelay } from "./restart-delay.ts";

/**
 * Restarts the embedded server whenever it dies, until the signal aborts. The delay grows with each death. The API and
 * the workers reconnect by themselves.
 */
export async function keepDatabase(
  database: EmbeddedPostgres,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<void> {
  const delay = new RestartDelay();
  for (;;) {
    await database.exited();
    if (signal.aborted) return;
    const delayMs = delay.next();
    log.error({ name: "postgres", delayMs }, "the embedded PostgreSQL died; starting it again");
    await wait(delayMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    delay.started();
    try {
      await database.restart();
      log.info({ name: "postgres" }, "the embedded PostgreSQL is back");
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error, name: "postgres" }, "the embedded PostgreSQL did not start");
    }
  }
}
