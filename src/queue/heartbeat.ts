import type { Executor } from "#db";
import type { Claim } from "./claim.ts";

export interface Heartbeat {
  /** The claims whose lease was extended. */
  kept: Set<string>;
}

/** Extends the leases of all of a worker's claims in one statement; a claim that is not in `kept` is lost for good. */
export async function heartbeat(sql: Executor, claims: readonly Claim[], leaseMs: number): Promise<Heartbeat> {
  if (claims.length === 0) return { kept: new Set() };
  const rows = await sql<{ id: string; attempt: number }[]>`
    update jobs set lease_expires_at = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8)
    from unnest(${claims.map((claim) => claim.jobId)}::uuid[], ${claims.map((claim) => claim.attempt)}::int[],
      ${claims.map((claim) => claim.workerId)}::text[]) as mine (id, attempt, worker_id)
    where jobs.id = mine.id and jobs.attempt = mine.attempt and jobs.worker_id = mine.worker_id
      and jobs.status = 'running' and jobs.lease_expires_at > clock_timestamp()
    returning jobs.id, jobs.attempt`;
  return { kept: new Set(rows.map((row) => claimKey({ jobId: row.id, attempt: row.attempt }))) };
}

/** The fencing token as one string. */
export function claimKey(claim: Pick<Claim, "jobId" | "attempt">): string {
  return `${claim.jobId}:${claim.attempt}`;
}
