import { enqueue, enqueueMany } from "#queue/enqueue";
import { READY_CHANNEL } from "#queue/events";
import { createQueue, pauseQueue } from "#queue/operate";
import { hostname } from "node:os";
import { pino } from "pino";
import { z } from "zod";
import { Database, Listener } from "#db";
import { defineJob, Worker } from "#worker";
import type { System, WorkOptions } from "./system.ts";

const FILL_BATCH = 10_000;
const DEADLINE_MS = 60_000;
const JOB = { ownerId: "local", jobType: "bench", payload: {} };

/** A worker with the product's default settings and one job type that does nothing. */
export function makeWorker(
  options: { db: Database; url: string; concurrency: number },
  run: WorkOptions["onRun"],
): Worker {
  const { db, url, concurrency } = options;
  return new Worker({
    db,
    connection: { url, prepare: true },
    log: pino({ level: "silent" }),
    handlers: [
      defineJob({
        type: JOB.jobType,
        payload: z.unknown(),
        // oxlint-disable-next-line typescript/require-await -- the handler does nothing
        run: async ({ payload }) => run(payload),
      }),
    ],
    identity: { workerId: `bench-${process.pid}-${(made += 1)}`, host: hostname(), pid: process.pid, version: "bench" },
    concurrency,
    leaseMs: 30_000,
    heartbeatMs: 10_000,
    poll: { minMs: 250, maxMs: 30_000 },
    retry: { baseMs: 1_000, capMs: 600_000 },
    defaultTimeoutMs: 1_800_000,
    retention: { completedMs: 2_592_000_000, failedMs: 7_776_000_000 },
  });
}
let made = 0;

/** Threadmill on a migrated database. */
export async function openThreadmill(url: string): Promise<System> {
  const db = new Database({ url, maxConnections: 10, deadlineMs: DEADLINE_MS });
  await createQueue(db.sql, "default");
  return {
    async fill(count) {
      for (let left = count; left > 0; left -= FILL_BATCH)
        await db.transaction(async (tx) => enqueueMany(tx, copies(Math.min(left, FILL_BATCH))));
      await db.call(async (sql) => sql`vacuum analyze jobs`);
    },
    async enqueue(payload) {
      await db.call(async (sql) => enqueue(sql, { ...JOB, payload }));
    },
    async enqueueMany(count) {
      await db.call(async (sql) => enqueueMany(sql, copies(count)));
    },
    work: async (options) => work(db, url, options),
    async isBusy() {
      const [row] = await db.sql<{ busy: boolean }[]>`
        select exists (select 1 from jobs where status = 'queued' and hold is null)
          or exists (select 1 from jobs where status = 'running') as busy`;
      return row?.busy ?? true;
    },
    close: async () => db.close(),
  };
}

function copies(count: number) {
  return Array.from({ length: count }, () => JOB);
}

/**
 * Starts one worker. In the single mode it starts `inFlight` workers of one place each, because such a worker completes a
 * job before it claims the next. The queue is paused meanwhile, so that all workers start at once.
 */
async function work(own: Database, url: string, { mode, inFlight, onRun }: WorkOptions) {
  const count = mode === "single" ? inFlight : 1;
  const db = new Database({
    url,
    maxConnections: Math.min(inFlight + 2, 20),
    avoidTableScans: true,
    applicationName: "threadmill-worker",
  });
  const workers = Array.from({ length: count }, () => makeWorker({ db, url, concurrency: inFlight / count }, onRun));
  if (count > 1) await pauseQueue(own.sql, "default", true);
  const wake = () => workers.forEach((worker) => worker.wake());
  await Promise.all(workers.map(async (worker) => worker.start()));
  const listener = new Listener({ url, channels: { [READY_CHANNEL]: wake } });
  await listener.start();
  if (count > 1) await pauseQueue(own.sql, "default", false);
  wake();
  return async () => {
    await Promise.all(workers.map(async (worker) => worker.stop(1_000)));
    await listener.stop();
    await db.close();
  };
}
