import type { Tx } from "#db";
import type { Claim } from "./claim.ts";
import { LeaseLostError } from "./errors.ts";
import { holdsLease } from "./fence.ts";
import { lockThread, readyNextInThread } from "./lock-thread.ts";

/**
 * Ends a job well and readies the next of its thread, in the transaction in which its effects are written.
 * @throws LeaseLostError when the attempt no longer owns the job; let it roll the transaction back.
 */
export async function complete(tx: Tx, claim: Claim, result: unknown = null): Promise<void> {
  await lockThread(tx, claim.threadId);
  const ended = await tx`
    with owner as (
      update jobs set status = 'completed', result = ${JSON.stringify(result)}::text::jsonb, error_message = null,
        worker_id = null, lease_expires_at = null, completed_at = clock_timestamp(), event_seq = event_seq + 1
      where ${holdsLease(tx, claim)}
      returning id, attempt, event_seq
    ), recorded as (
      update job_attempts set ended_at = clock_timestamp(), outcome = 'completed'
      from owner where job_attempts.job_id = owner.id and job_attempts.attempt = owner.attempt
    ), noted as (
      insert into job_events (job_id, seq, attempt, type) select id, event_seq, attempt, 'completed' from owner
    )
    select id from owner`;
  if (ended.length === 0) throw new LeaseLostError(claim.jobId, claim.attempt);
  await readyNextInThread(tx, claim.threadId);
}
