import { claim } from "#queue/claim";
import type { Line } from "#queue/claim";
import { enqueueMany } from "#queue/enqueue";
import { createQueue } from "#queue/operate";
import { completeMany } from "#queue/settle";
import { Database } from "#db";
import { FILL_LIMIT_MS, vacuum } from "./fill-table.ts";
import type { BenchContext } from "./benchmark.ts";

const BATCH = 100;
const LEASE_MS = 30_000;
const FILL_BATCH = 10_000;
const DEADLINE_MS = 60_000;

/** A database whose jobs one connection claims and completes a hundred at a time, without a worker. */
export interface ClaimLoop {
  db: Database;
  url: string;
  /** Adds ready jobs. */
  add: (count: number) => Promise<void>;
  /** Claims and completes `count` jobs; returns jobs a second. */
  run: (count: number) => Promise<number>;
  close: () => Promise<void>;
}

export async function openClaimLoop(context: BenchContext): Promise<ClaimLoop> {
  const { url, drop } = await context.createDatabase("threadmill");
  const filler = new Database({ url, maxConnections: 1, deadlineMs: FILL_LIMIT_MS });
  const db = new Database({ url, maxConnections: 1, avoidTableScans: true, deadlineMs: DEADLINE_MS });
  await createQueue(filler.sql, "default");
  return {
    db: filler,
    url,
    async add(count) {
      for (let left = count; left > 0; left -= FILL_BATCH) {
        const jobs = Array.from({ length: Math.min(left, FILL_BATCH) }, () => ({ ...JOB }));
        await filler.transaction(async (tx) => enqueueMany(tx, jobs));
      }
      await vacuum(filler);
    },
    async run(count) {
      await context.settle();
      const start = performance.now();
      let line: Line | undefined;
      for (let done = 0; done < count; done += BATCH) line = await claimAndComplete(db, line);
      return (count / (performance.now() - start)) * 1_000;
    },
    async close() {
      await Promise.all([filler.close(), db.close()]);
      await drop();
    },
  };
}

const JOB = { ownerId: "local", jobType: "bench", payload: {} };

/** As in a worker, each claim receives the `line` that the previous claim returned. */
async function claimAndComplete(db: Database, seen: Line | undefined): Promise<Line | undefined> {
  const { jobs, line } = await db.call(async (sql) =>
    claim(sql, { workerId: "bench", limit: BATCH, leaseMs: LEASE_MS, line: seen }),
  );
  if (jobs.length !== BATCH) throw new Error(`${jobs.length} jobs were claimed instead of ${BATCH}`);
  const left = await db.call(async (sql) =>
    completeMany(
      sql,
      jobs.map((job) => ({ claim: job, result: null })),
    ),
  );
  if (left.length > 0) throw new Error(`${left.length} jobs could not be completed`);
  return line;
}
