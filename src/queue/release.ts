import type { Tx } from "#db";
import type { Claim } from "./claim.ts";
import { LeaseLostError } from "./errors.ts";
import { holdsLease } from "./fence.ts";
import { notifyReady } from "./lock-thread.ts";

/**
 * Gives a job back, ready at once, without using up a retry.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function release(tx: Tx, claim: Claim): Promise<void> {
  const [row] = await tx<{ queue: string }[]>`
    with owner as (
      update jobs set status = 'queued', hold = null, worker_id = null, lease_expires_at = null, progress = null, event_seq = event_seq + 1
      where ${holdsLease(tx, claim)}
      returning id, attempt, event_seq, queue
    ), recorded as (
      update job_attempts set ended_at = clock_timestamp(), outcome = 'released'
      from owner where job_attempts.job_id = owner.id and job_attempts.attempt = owner.attempt
    ), noted as (
      insert into job_events (job_id, seq, attempt, type) select id, event_seq, attempt, 'released' from owner
    )
    select queue from owner`;
  if (!row) throw new LeaseLostError(claim.jobId, claim.attempt);
  await notifyReady(tx, row.queue);
}
