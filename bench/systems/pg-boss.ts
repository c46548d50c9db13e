import { PgBoss } from "pg-boss";
import postgres from "postgres";
import type { System, WorkOptions } from "./system.ts";

const QUEUE = "bench";
const FILL_BATCH = 10_000;
const BATCH = 100;
const POLL_SECONDS = 0.5;

/** Creates pg-boss's tables and its queue. */
export async function migratePgBoss(url: string): Promise<void> {
  const boss = new PgBoss({ connectionString: url });
  await boss.start();
  await boss.createQueue(QUEUE);
  await boss.stop({ graceful: false });
}

/** pg-boss on a migrated database. */
export async function openPgBoss(url: string): Promise<System> {
  const sql = postgres(url, { max: 2, onnotice: () => undefined });
  const boss = await open(url, 10);
  const insert = async (count: number) =>
    boss.insert(
      QUEUE,
      Array.from({ length: count }, () => ({ data: {} })),
    );
  return {
    async fill(count) {
      for (let left = count; left > 0; left -= FILL_BATCH) await insert(Math.min(left, FILL_BATCH));
      await sql`vacuum analyze`;
    },
    async enqueue(payload) {
      await boss.send(QUEUE, payload);
    },
    async enqueueMany(count) {
      await insert(count);
    },
    work: async (options) => work(url, options),
    async isBusy() {
      const [row] = await sql<
        { busy: boolean }[]
      >`select exists (select 1 from pgboss.job where state < 'completed') as busy`;
      return row?.busy ?? true;
    },
    async close() {
      await boss.stop({ graceful: false });
      await sql.end();
    },
  };
}

async function open(url: string, max: number): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString: url, max });
  boss.on("error", (error) => {
    throw error;
  });
  return boss.start();
}

/**
 * pg-boss's worker sleeps for its polling interval after each batch. The fast and single modes therefore loop over `fetch`
 * and `complete`, which pg-boss offers for that; the default mode uses the worker.
 */
async function work(url: string, { mode, inFlight, onRun }: WorkOptions) {
  const boss = await open(url, Math.min(inFlight + 2, 20));
  if (mode === "default") {
    await boss.work(QUEUE, { pollingIntervalSeconds: POLL_SECONDS }, async ([job]) =>
      Promise.resolve(onRun(job?.data)),
    );
    return async () => boss.stop({ graceful: false });
  }
  const batchSize = mode === "fast" ? BATCH : 1;
  const stopping = new AbortController();
  const loop = async () => {
    while (!stopping.signal.aborted) {
      const jobs = await boss.fetch(QUEUE, { batchSize });
      if (jobs.length === 0) return;
      for (const job of jobs) onRun(job.data);
      await boss.complete(
        QUEUE,
        jobs.map((job) => job.id),
      );
    }
  };
  const loops = Promise.all(Array.from({ length: inFlight / batchSize }, loop));
  return async () => {
    stopping.abort();
    await loops;
    await boss.stop({ graceful: false });
  };
}
