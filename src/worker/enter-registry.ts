import { reportWorker } from "#queue";
import type { HeartSettings } from "./heart.ts";
import type { WorkerOptions } from "./worker.ts";

/**
 * Enters a worker in the registry, with what it runs, and gives what its heartbeats are to report. Before the first of
 * them: whoever waits until the worker is ready may use what it offers.
 */
export async function enterRegistry(options: WorkerOptions): Promise<HeartSettings["report"]> {
  const { db, identity, concurrency, handlers, broken = [] } = options;
  const runs = handlers.map(({ type, description = null }) => ({ jobType: type, description, error: null }));
  const report = { ...identity, concurrency, offers: [...runs, ...broken] };
  await db.call(async (sql) => reportWorker(sql, { ...report, running: 0, state: "active" }));
  return report;
}
