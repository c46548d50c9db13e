import type { ClaimedJob, EnqueuedJob, NewJob } from "#queue";
import { claim } from "#queue/claim";
import { enqueue, enqueueMany } from "#queue/enqueue";
import type { reportWorker } from "#queue/fleet";
import { getJob } from "#queue/read";
import { complete, fail, reap } from "#queue/settle";
import { Database, Listener } from "#db";
import type { Tx } from "#db";
import { afterAll, beforeAll, beforeEach, onTestFinished, vi } from "vitest";
import { createTestDatabase } from "./database.ts";
import { deferred } from "./deferred.ts";

const OWNER_ID = "local";
/** A retry policy without a delay. */
export const AT_ONCE = { baseMs: 0, capMs: 0 };
/** The error of a failed attempt. */
export const BOOM = { name: "Error", message: "boom", stack: "Error: boom\n  at x" };
export const HOUR_MS = 3_600_000;

/** A worker's report to the registry. */
export const WORKER: Parameters<typeof reportWorker>[1] = {
  workerId: "w",
  host: "h",
  pid: 1,
  version: "0",
  concurrency: 1,
  running: 0,
  state: "active",
  heartbeatMs: 10_000,
  offers: [],
};

/** Wrong times of a process's clock. The database's clock stays right. */
export const WRONG_CLOCKS = ["1999-12-31T00:00:00Z", "2150-01-01T00:00:00Z"];

/** Sets the process's clock until the test ends. */
export function setProcessClock(now: string): void {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date(now) });
  onTestFinished(() => void vi.useRealTimers());
}

/** A queue for the tests of one file, empty before each of them. */
export function setUpQueue(maxConnections?: number): Queue {
  let opened: Queue | undefined;
  beforeAll(async () => {
    opened = await openQueue(maxConnections);
  });
  beforeEach(async () => opened?.clear());
  afterAll(async () => opened?.close());
  return new Proxy({} as Queue, { get: (_target, name: keyof Queue) => opened?.[name] });
}

type Queue = Awaited<ReturnType<typeof openQueue>>;

/** Creates a database. Returns the queue's verbs with default arguments. */
export async function openQueue(maxConnections = 25) {
  const { url, drop } = await createTestDatabase();
  const db = new Database({ url, maxConnections });
  const withDefaults = (job: Partial<NewJob>): NewJob => ({ ownerId: OWNER_ID, jobType: "t", payload: {}, ...job });

  const take = async (limit = 1, options: { workerId?: string; leaseMs?: number; afterOwner?: string } = {}) =>
    (await claim(db.sql, { workerId: "w", leaseMs: 30_000, limit, ...options })).jobs;
  const inTx = async <T>(work: (tx: Tx) => Promise<T>) => db.transaction(work);
  const read = async (jobId: string, ownerId = OWNER_ID) => getJob(db.sql, { ownerId, jobId });
  const expire = async (jobId: string) =>
    db.sql`update jobs set lease_expires_at = clock_timestamp() - interval '1 second' where id = ${jobId}`;
  return {
    db,
    url,
    ownerId: OWNER_ID,
    inTx,
    keyOf: (jobId = "") => ({ ownerId: OWNER_ID, jobId }),
    add: async (job: Partial<NewJob> = {}): Promise<EnqueuedJob> => inTx(async (tx) => enqueue(tx, withDefaults(job))),
    addMany: async (jobs: Partial<NewJob>[]) => inTx(async (tx) => enqueueMany(tx, jobs.map(withDefaults))),
    take,
    async takeOne(options: { workerId?: string; leaseMs?: number } = {}): Promise<ClaimedJob> {
      const [job] = await take(1, options);
      if (!job) throw new Error("nothing was claimed");
      return job;
    },
    /** Claims the ready jobs, 10 at most, and returns their ids. */
    takeIds: async (limit = 10) => (await take(limit)).map((job) => job.jobId),
    finish: async (job: ClaimedJob) => inTx(async (tx) => complete(tx, job)),
    /** Fails an attempt. Unless `permanent`, the job retries at once while it has retries left. */
    failOne: async (job: ClaimedJob, permanent = false) =>
      inTx(async (tx) => fail(tx, job, { error: BOOM, retry: AT_ONCE, permanent })),
    /** Lets a running job's lease expire and has it reaped. */
    async crash({ jobId }: { jobId: string }) {
      await expire(jobId);
      await reap(db, { policyOf: () => AT_ONCE });
    },
    read,
    statusOf: async (jobId: string) => (await read(jobId)).status,
    expire,
    /** The payloads that arrive on a channel from now on. */
    async hear(channel: string): Promise<string[]> {
      const heard: string[] = [];
      const listening = deferred();
      const listener = new Listener({
        url,
        channels: {
          [channel]: (payload) => (payload === undefined ? listening.resolve() : void heard.push(payload)),
        },
      });
      await listener.start();
      onTestFinished(async () => listener.stop());
      await listening.promise;
      return heard;
    },
    makeDue: async () => db.sql`update jobs set run_at = clock_timestamp() where status = 'queued' and hold = 'time'`,
    clear: async () => db.sql`truncate jobs, decision_sets, queues, schedules, job_types, limit_keys, workers cascade`,
    async close() {
      await db.close();
      await drop();
    },
  };
}
