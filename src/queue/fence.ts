import type { Executor } from "#db";
import type { Claim } from "./claimed-job.ts";
import type { PendingQuery, Row } from "postgres";

/** The condition under which a write on a job's behalf takes effect: this attempt still holds an unexpired lease. */
export function holdsLease(sql: Executor, claim: Claim): PendingQuery<Row[]> {
  return sql`jobs.id = ${claim.jobId} and jobs.attempt = ${claim.attempt} and jobs.worker_id = ${claim.workerId}
    and jobs.status = 'running' and jobs.lease_expires_at > clock_timestamp()`;
}
