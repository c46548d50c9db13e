import { DatabaseUnavailableError } from "#queue";
import { reportWorker } from "#queue/fleet";
import { describeError } from "../run/describe-error.ts";
import type { HeartSettings } from "../lease/heart.ts";
import type { WorkerOptions } from "../worker-options.ts";

/**
 * Enters a worker in the registry, with what it runs, and gives what its heartbeats are to report. Before the first of
 * them: whoever waits until the worker is ready may use what it offers. Where the database is away, it is in the
 * registry with the first heartbeat that gets through.
 */
export async function enterRegistry(options: WorkerOptions): Promise<HeartSettings["report"]> {
  const { db, log, identity, concurrency, heartbeatMs, handlers, broken = [] } = options;
  const runs = handlers.map(({ type, description = null }) => ({ jobType: type, description, error: null }));
  const report = { ...identity, concurrency, heartbeatMs, offers: [...runs, ...broken] };
  try {
    await db.call(async (sql) => reportWorker(sql, { ...report, running: 0, state: "active" }));
  } catch (error) {
    if (!(error instanceof DatabaseUnavailableError)) throw error;
    log.warn({ err: describeError(error) }, "the worker starts without its database");
  }
  return report;
}
