import { graphJobType } from "#conversation";
import { reportWorker } from "#queue/fleet";
import type { Executor } from "#db";

/** Registers a live worker that offers these graphs. Calls with other names register further workers. */
export async function offerGraphs(
  sql: Executor,
  names: readonly string[],
  more: { error?: string; description?: string } = {},
): Promise<void> {
  const { error = null, description = null } = more;
  await reportWorker(sql, {
    workerId: `offers-${names.join("-")}`,
    host: "test",
    pid: 1,
    version: "0.0.0",
    concurrency: 1,
    running: 0,
    state: "active",
    heartbeatMs: 10_000,
    offers: names.map((name) => ({ jobType: graphJobType(name), description, error })),
  });
}
