import type { Executor } from "#db";
import { claimKey } from "../claimed-job.ts";
import type { Claim } from "../claimed-job.ts";

const NEVER_MS = 10 * 365 * 86_400_000;

export interface Heartbeat {
  /** The keys of the claims whose lease was extended. */
  kept: Set<string>;
  /** The keys of the kept claims whose jobs have a cancel request. */
  cancelled: Set<string>;
}

/** A claim to extend. Once it is older than `maxAgeMs` its run is stuck, and its lease is left to expire. */
export type HeldClaim = Pick<Claim, "jobId" | "attempt" | "workerId"> & { maxAgeMs?: number };

/**
 * Extends the leases of all of a worker's claims in one statement. A claim that is not in `kept` is lost for good. An
 * expired lease is extended unless it was reaped: after an outage of the database its worker still runs the job.
 */
export async function heartbeat(sql: Executor, claims: readonly HeldClaim[], leaseMs: number): Promise<Heartbeat> {
  // Sent even without claims: a lock on the table must delay idle workers too, or they would reap the jobs of the others.
  const rows = await sql<{ id: string; attempt: number; cancelled: boolean }[]>`
    update jobs set lease_expires_at = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8)
    from unnest(${claims.map((claim) => claim.jobId)}::uuid[], ${claims.map((claim) => claim.attempt)}::int[],
      ${claims.map((claim) => claim.workerId)}::text[], ${claims.map((claim) => claim.maxAgeMs ?? NEVER_MS)}::float8[])
      as mine (id, attempt, worker_id, max_age_ms)
    -- "any" (see claim-rows.ts) and "coalesce" make the plan look up each job by its id instead of scanning the running jobs.
    where jobs.id = any(array[mine.id]) and jobs.attempt = mine.attempt and jobs.worker_id = mine.worker_id
      and coalesce(jobs.status = 'running', false)
      and jobs.claimed_at + make_interval(secs => mine.max_age_ms / 1000) > clock_timestamp()
    returning jobs.id, jobs.attempt, jobs.cancel_requested_at is not null as cancelled`;
  const keyOf = (row: { id: string; attempt: number }) => claimKey({ jobId: row.id, attempt: row.attempt });
  return { kept: new Set(rows.map(keyOf)), cancelled: new Set(rows.filter((row) => row.cancelled).map(keyOf)) };
}

/** The job types of claims, for log lines. */
export async function nameJobs(
  sql: Executor,
  claims: readonly HeldClaim[],
): Promise<{ jobId: string; jobType: string }[]> {
  const rows = await sql<{ id: string; job_type: string }[]>`
    select id, job_type from jobs where id = any(${claims.map((claim) => claim.jobId)}::uuid[])`;
  return rows.map((row) => ({ jobId: row.id, jobType: row.job_type }));
}
