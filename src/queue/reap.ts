import { DatabaseUnavailableError } from "#db";
import type { Database } from "#db";
import { settleFailure } from "./fail.ts";
import type { RetryPolicy, Settled } from "./fail.ts";

export interface Reaped {
  jobId: string;
  attempt: number;
  workerId: string;
  status: Settled;
}

const BATCH = 100;

/**
 * Takes back jobs whose lease has expired, each as a failed attempt that uses a retry. Any number of workers may run
 * it at once: the guard lets one of them have each job. One that cannot be taken back keeps none of the others waiting.
 * @throws what the first such job's transaction threw, once the others are done.
 */
export async function reap(db: Database, policyOf: (jobType: string) => RetryPolicy): Promise<Reaped[]> {
  const expired = await db.call(
    (sql) => sql<
      {
        id: string;
        attempt: number;
        worker_id: string;
        job_type: string;
        thread_id: string | null;
        limit_key: string | null;
        queue: string;
      }[]
    >`
      select id, attempt, worker_id, job_type, thread_id, limit_key, queue from jobs
      where status = 'running' and lease_expires_at <= statement_timestamp() order by lease_expires_at limit ${BATCH}`,
  );
  const reaped: Reaped[] = [];
  const faults: unknown[] = [];
  for (const job of expired) {
    const taking = db.transaction((tx) =>
      settleFailure(
        tx,
        { jobId: job.id, threadId: job.thread_id, limitKey: job.limit_key, queue: job.queue },
        {
          error: {
            name: "LeaseExpired",
            message: `Worker ${job.worker_id} stopped responding: its lease expired`,
            stack: null,
          },
          retry: policyOf(job.job_type),
          outcome: "lease_expired",
          guard: tx`jobs.id = ${job.id} and jobs.attempt = ${job.attempt} and jobs.status = 'running' and jobs.lease_expires_at <= clock_timestamp()`,
        },
      ),
    );
    const status = await taking.catch((error: unknown) => {
      if (error instanceof DatabaseUnavailableError) throw error;
      faults.push(error);
    });
    if (status) reaped.push({ jobId: job.id, attempt: job.attempt, workerId: job.worker_id, status });
  }
  if (faults.length > 0) throw faults[0];
  return reaped;
}
