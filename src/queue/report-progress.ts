import type { Executor } from "#db";
import type { Claim } from "./claim.ts";
import { LeaseLostError } from "./errors.ts";
import { holdsLease } from "./fence.ts";

/**
 * Records which step a running job has reached, on the job and in its event log.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function reportProgress(
  sql: Executor,
  claim: Claim,
  progress: { step: string; detail?: string },
): Promise<void> {
  const data = JSON.stringify(progress);
  const rows = await sql`
    with owner as (
      update jobs set progress = ${data}::text::jsonb, event_seq = event_seq + 1
      where ${holdsLease(sql, claim)} returning id, attempt, event_seq
    ), noted as (
      insert into job_events (job_id, seq, attempt, type, data) select id, event_seq, attempt, 'progress', ${data}::text::jsonb from owner
    )
    select id from owner`;
  if (rows.length === 0) throw new LeaseLostError(claim.jobId, claim.attempt);
}
