import { DatabaseUnavailableError } from "#queue";
import type { Database } from "#queue";
import { reportWorker } from "#queue/fleet";
import type { Logger } from "pino";
import type { HeartbeatSettings } from "../lease/heartbeat.ts";
import { describeError } from "../run/describe-error.ts";
import type { WorkerOptions } from "../worker-options.ts";

/** The worker's registry entry, with its job types and the job types that failed to load. */
export function describeWorker(options: WorkerOptions): HeartbeatSettings["report"] {
  const { identity, concurrency, heartbeatMs, handlers, broken = [] } = options;
  const runs = handlers.map(({ type, description = null }) => ({ jobType: type, description, error: null }));
  return { ...identity, concurrency, heartbeatMs, offers: [...runs, ...broken] };
}

/**
 * Enters a worker in the registry before it is ready: a caller that waits for the worker may then use its graphs. If the
 * database is away, the first successful heartbeat enters it.
 */
export async function enterRegistry(db: Database, log: Logger, report: HeartbeatSettings["report"]): Promise<void> {
  try {
    await db.call(async (sql) => reportWorker(sql, { ...report, running: 0, state: "active" }));
  } catch (error) {
    if (!(error instanceof DatabaseUnavailableError)) throw error;
    log.warn({ err: describeError(error) }, "the worker starts without its database");
  }
}
