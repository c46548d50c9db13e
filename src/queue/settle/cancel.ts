import type { Tx } from "#db";
import type { Claim } from "../claimed-job.ts";
import { JobConflictError, LeaseLostError } from "../errors.ts";
import { notifyCancel, notifyChanged } from "../events/wake.ts";
import { holdsLease, settledBefore } from "../fence.ts";
import { lockJob } from "../lock-job.ts";
import type { JobKey } from "../lock-job.ts";
import { lockLimit, lockThread } from "../locks.ts";
import { settleDependents } from "../ready/dependencies.ts";
import { passOn } from "../ready/ready.ts";
import type { JobStatus } from "#shared/job-states";

/**
 * Cancels a job: at once when it is queued or waiting; a running one is asked to stop, which its worker does within a
 * second. Cancelling twice is cancelling once. Returns `cancelled`, or `running` while the worker is being asked.
 * @throws NotFoundError when the owner has no such job; JobConflictError when it has ended otherwise.
 */
export async function cancel(tx: Tx, key: JobKey): Promise<Extract<JobStatus, "cancelled" | "running">> {
  const job = await lockJob(tx, key);
  if (job.status === "cancelled") return "cancelled";
  if (job.status === "completed" || job.status === "failed") {
    throw new JobConflictError(`The job has ${job.status} already: only unfinished jobs can be cancelled`);
  }
  if (job.status === "running") {
    await tx`update jobs set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()) where id = ${job.jobId}`;
    await notifyCancel(tx, job.jobId);
    return "running";
  }
  await tx`
    update jobs set status = 'cancelled', hold = null, cancel_requested_at = clock_timestamp(),
      completed_at = clock_timestamp()
    where id = ${job.jobId}`;
  await notifyChanged(tx, job);
  await passOn(tx, { ...job, threadId: job.hold === "thread" ? null : job.threadId });
  if (job.hasDependents) await settleDependents(tx, job.jobId, "cancelled");
  return "cancelled";
}

/**
 * Ends a running job as cancelled where somebody has asked for it: what its worker wanted to do instead found nothing to
 * change, for this reason or because it owns the job no more.
 * @throws LeaseLostError when nobody has asked, or the attempt no longer owns the job; nothing was changed.
 */
export async function settleIfAsked(tx: Tx, claim: Claim): Promise<void> {
  // A condition of its own: a heartbeat that committed meanwhile can make a lease hold that did not a statement ago.
  const asked = await tx`
    select 1 from jobs where id = ${claim.jobId} and attempt = ${claim.attempt} and cancel_requested_at is not null`;
  if (asked.length === 0) throw new LeaseLostError(claim.jobId, claim.attempt);
  await settleCancelled(tx, claim);
}

/**
 * Ends a running job as cancelled, on its worker's behalf.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function settleCancelled(tx: Tx, claim: Claim): Promise<void> {
  await lockThread(tx, claim.threadId);
  await lockLimit(tx, claim);
  const [ended] = await tx<{ has_dependents: boolean; event_seq: number }[]>`
    with owner as (
      update jobs set status = 'cancelled', worker_id = null, lease_expires_at = null, progress = null,
        completed_at = clock_timestamp()
      where ${holdsLease(tx, claim)}
      returning *
    ), recorded as (
      insert into job_attempts (job_id, attempt, worker_id, started_at, ended_at, outcome, usage)
      select id, attempt, last_worker_id, claimed_at, clock_timestamp(), 'cancelled', usage from owner
    )
    select has_dependents, event_seq from owner`;
  if (!ended) {
    if (await settledBefore(tx, claim, "cancelled")) return;
    throw new LeaseLostError(claim.jobId, claim.attempt);
  }
  await notifyChanged(tx, { ...claim, eventSeq: ended.event_seq });
  await passOn(tx, claim);
  if (ended.has_dependents) await settleDependents(tx, claim.jobId, "cancelled");
}
