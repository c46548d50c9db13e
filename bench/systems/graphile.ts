import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";
import postgres from "postgres";
import type { System, WorkOptions } from "./system.ts";

const TASK = "bench";
const logger = new Logger(() => () => undefined);

/** Creates graphile-worker's tables. */
export async function migrateGraphile(url: string): Promise<void> {
  await runMigrations({ connectionString: url, logger });
}

/** graphile-worker on a migrated database. */
export async function openGraphile(url: string): Promise<System> {
  const sql = postgres(url, { max: 2, onnotice: () => undefined });
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  return {
    async fill(count) {
      await sql`
        select count(*) from graphile_worker.add_jobs(array(
          select jsonb_populate_record(null::graphile_worker.job_spec, ${sql.json({ identifier: TASK, payload: {} })})
          from generate_series(1, ${count})))`;
      await sql`vacuum analyze`;
    },
    async enqueue(payload) {
      await utils.addJob(TASK, payload);
    },
    async enqueueMany(count) {
      await utils.addJobs(Array.from({ length: count }, () => ({ identifier: TASK, payload: {} })));
    },
    work: async (options) => work(url, options),
    async isBusy() {
      const [row] = await sql<{ busy: boolean }[]>`select exists (select 1 from graphile_worker._private_jobs) as busy`;
      return row?.busy ?? true;
    },
    async close() {
      await utils.release();
      await sql.end();
    },
  };
}

/** The fast settings come from graphile-worker's documentation and performance tests. */
async function work(url: string, { mode, inFlight, onRun }: WorkOptions) {
  const fast = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  const runner = await run({
    preset: {
      worker: {
        connectionString: url,
        concurrentJobs: inFlight,
        maxPoolSize: Math.min(inFlight + 2, 20),
        ...(mode === "fast" && fast),
      },
    },
    logger,
    noHandleSignals: true,
    taskList: { [TASK]: (payload) => onRun(payload) },
  });
  return async () => runner.stop();
}
