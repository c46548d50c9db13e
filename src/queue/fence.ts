import type { Executor, Tx } from "#db";
import type { Claim } from "./claimed-job.ts";
import type { PendingQuery, Row } from "postgres";
import type { JobStatus } from "#shared/job-states";

/** The condition under which a write on a job's behalf takes effect: this attempt still holds an unexpired lease. */
export function holdsLease(sql: Executor, claim: Claim): PendingQuery<Row[]> {
  return sql`jobs.id = ${claim.jobId} and jobs.attempt = ${claim.attempt} and jobs.worker_id = ${claim.workerId}
    and jobs.status = 'running' and jobs.lease_expires_at > clock_timestamp()`;
}

/**
 * Whether this very attempt ended as asked before: an answer that was lost with its connection makes a worker send its
 * last write again, and that must not look as if the lease had been lost.
 */
export async function settledBefore(tx: Tx, claim: Claim, status: JobStatus): Promise<boolean> {
  const rows = await tx`
    select 1 from jobs where id = ${claim.jobId} and attempt = ${claim.attempt} and last_worker_id = ${claim.workerId}
      and status = ${status}::job_status and not exists (
        select 1 from job_attempts where job_id = ${claim.jobId} and attempt = ${claim.attempt} and outcome = 'lease_expired'
      )`;
  return rows.length > 0;
}
