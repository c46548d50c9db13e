import { DatabaseUnavailableError } from "#db";
import type { Database } from "#db";
import { reapingDelay } from "../fleet/reaping-delay.ts";
import type { Reaper } from "../fleet/reaping-delay.ts";
import { settleFailure } from "./fail.ts";
import type { RetryPolicy, Settled } from "./fail.ts";

export interface Reaped {
  jobId: string;
  attempt: number;
  workerId: string;
  status: Settled;
}

export interface ReapOptions {
  policyOf: (jobType: string) => RetryPolicy;
  /** The worker that reaps. It waits until its own contact with the database has lasted one heartbeat interval. */
  reaper?: Reaper | undefined;
}

const BATCH = 100;
/** A message names this many suspects; the history has all of them. */
const MAX_NAMED = 5;

/**
 * Takes back jobs whose lease has expired. Each counts as a crash: the worker was killed, frozen or cut off. The history
 * names the other jobs of that worker as suspects: one of them may have killed it. Any number of workers may reap at
 * once; the guard gives each job to one of them. A job that cannot be taken back does not stop the others.
 * @throws the error of the first such job, after the others are done.
 */
export async function reap(db: Database, { policyOf, reaper }: ReapOptions): Promise<Reaped[]> {
  const expired = await findExpired(db, reaper);
  const reaped: Reaped[] = [];
  const faults: unknown[] = [];
  for (const job of expired) {
    const taking = db.transaction((tx) =>
      settleFailure(
        tx,
        { jobId: job.id, attempt: job.attempt, threadId: job.thread_id, limitKey: job.limit_key, queue: job.queue },
        {
          error: { name: "LeaseExpired", message: describe(job), stack: null },
          retry: policyOf(job.job_type),
          outcome: "lease_expired",
          suspects: job.suspects.map(({ id }) => id),
          guard: tx`jobs.id = ${job.id} and jobs.attempt = ${job.attempt} and jobs.status = 'running' and jobs.lease_expires_at <= clock_timestamp()`,
        },
      ),
    );
    const status = await taking.catch((error: unknown) => {
      if (error instanceof DatabaseUnavailableError && error.isAbsence) throw error;
      faults.push(error);
    });
    if (status) reaped.push({ jobId: job.id, attempt: job.attempt, workerId: job.worker_id, status });
  }
  if (faults.length > 0) throw faults[0];
  return reaped;
}

interface ExpiredJob {
  id: string;
  attempt: number;
  worker_id: string;
  job_type: string;
  thread_id: string | null;
  limit_key: string | null;
  queue: string;
  /** The other jobs that its worker ran. */
  suspects: Suspect[];
}

interface Suspect {
  id: string;
  job_type: string;
}

async function findExpired(db: Database, reaper: Reaper | undefined): Promise<ExpiredJob[]> {
  const rows = await db.call(
    (sql) => sql<(Omit<ExpiredJob, "suspects"> & { suspects: string })[]>`
      with expired as materialized (
        select id, attempt, worker_id, job_type, thread_id, limit_key, queue, lease_expires_at from jobs
        where status = 'running' and lease_expires_at <= statement_timestamp()
          ${reaper ? sql`and ${reapingDelay(sql, reaper)} <= interval '0'` : sql``}
        order by lease_expires_at limit ${BATCH}
      )
      select expired.*, (
        select coalesce(json_agg(json_build_object('id', other.id, 'job_type', other.job_type)), '[]') from jobs as other
        where other.status = 'running' and other.worker_id = expired.worker_id and other.id <> expired.id
      )::text as suspects
      from expired order by lease_expires_at`,
  );
  return rows.map((row) => ({ ...row, suspects: JSON.parse(row.suspects) as Suspect[] }));
}

function describe({ worker_id: workerId, suspects }: ExpiredJob): string {
  const stopped = `Worker ${workerId} stopped responding: its lease expired`;
  if (suspects.length === 0) return stopped;
  const named = suspects.slice(0, MAX_NAMED).map((one) => `${one.job_type} ${one.id}`);
  const more = suspects.length > MAX_NAMED ? ` and ${suspects.length - MAX_NAMED} more` : "";
  return `${stopped} while it also ran ${named.join(", ")}${more}`;
}
