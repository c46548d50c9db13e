import type { ClaimedJob, EnqueuedJob, NewJob } from "#queue";
import { claim } from "#queue/claim";
import { enqueue, enqueueMany } from "#queue/enqueue";
import { getJob } from "#queue/read";
import { complete, fail } from "#queue/settle";
import { Database } from "#db";
import { createTestDatabase } from "./database.ts";

const OWNER_ID = "local";
const AT_ONCE = { baseMs: 0, capMs: 0 };

/** A database of the test's own, with the verbs as tests mostly use them. */
export async function openQueue(maxConnections = 25) {
  const { url, drop } = await createTestDatabase();
  const db = new Database({ url, maxConnections });
  const withDefaults = (job: Partial<NewJob>): NewJob => ({ ownerId: OWNER_ID, jobType: "t", payload: {}, ...job });

  const take = async (limit = 1, options: { workerId?: string; leaseMs?: number; afterOwner?: string } = {}) =>
    (await claim(db.sql, { workerId: "w", leaseMs: 30_000, limit, ...options })).jobs;
  const read = async (jobId: string, ownerId = OWNER_ID) => getJob(db.sql, { ownerId, jobId });
  return {
    db,
    url,
    ownerId: OWNER_ID,
    add: async (job: Partial<NewJob> = {}): Promise<EnqueuedJob> =>
      db.transaction(async (tx) => enqueue(tx, withDefaults(job))),
    addMany: async (jobs: Partial<NewJob>[]) => db.transaction(async (tx) => enqueueMany(tx, jobs.map(withDefaults))),
    take,
    async takeOne(options: { workerId?: string; leaseMs?: number } = {}): Promise<ClaimedJob> {
      const [job] = await take(1, options);
      if (!job) throw new Error("nothing was claimed");
      return job;
    },
    finish: async (job: ClaimedJob) => db.transaction(async (tx) => complete(tx, job)),
    /** Fails an attempt; `permanent` for good, else with a retry at once where one is left. */
    failOne: async (job: ClaimedJob, permanent = false) =>
      db.transaction(async (tx) =>
        fail(tx, job, { error: { name: "Error", message: "boom", stack: null }, retry: AT_ONCE, permanent }),
      ),
    read,
    statusOf: async (jobId: string) => (await read(jobId)).status,
    expire: async (jobId: string) =>
      db.sql`update jobs set lease_expires_at = clock_timestamp() - interval '1 second' where id = ${jobId}`,
    makeDue: async () => db.sql`update jobs set run_at = clock_timestamp() where status = 'queued' and hold = 'time'`,
    clear: async () => db.sql`truncate jobs, decision_sets, queues, schedules, job_types, limit_keys, workers cascade`,
    async close() {
      await db.close();
      await drop();
    },
  };
}
