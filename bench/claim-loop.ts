import { claim } from "#queue/claim";
import type { Line } from "#queue/claim";
import { enqueueMany } from "#queue/enqueue";
import { createQueue } from "#queue/operate";
import { completeMany } from "#queue/settle";
import { Database } from "#db";
import { FILL_LIMIT_MS, vacuum } from "./contents.ts";
import type { Stage } from "./benchmark.ts";

const BATCH = 100;
const LEASE_MS = 30_000;
const MOST = 10_000;
const LONG_MS = 60_000;

/** A database whose jobs are claimed and completed a hundred at a time, by one connection and no worker. */
export interface ClaimRoom {
  db: Database;
  url: string;
  /** Adds ordinary jobs, so that there are as many to claim. */
  add: (count: number) => Promise<void>;
  /** Jobs a second of claiming and completing so many. */
  run: (count: number) => Promise<number>;
  close: () => Promise<void>;
}

export async function openClaimRoom(stage: Stage): Promise<ClaimRoom> {
  const { url, drop } = await stage.room("threadmill");
  const filler = new Database({ url, maxConnections: 1, deadlineMs: FILL_LIMIT_MS });
  const db = new Database({ url, maxConnections: 1, avoidTableScans: true, deadlineMs: LONG_MS });
  await createQueue(filler.sql, "default");
  return {
    db: filler,
    url,
    async add(count) {
      for (let left = count; left > 0; left -= MOST) {
        const jobs = Array.from({ length: Math.min(left, MOST) }, () => ({ ...JOB }));
        await filler.transaction(async (tx) => enqueueMany(tx, jobs));
      }
      await vacuum(filler);
    },
    async run(count) {
      await stage.settle();
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

/** As a worker does: with what the claim before saw. */
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
