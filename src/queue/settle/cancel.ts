import type { Tx } from "#db";
import type { JobStatus } from "#shared/job-states";
import type { Claim } from "../claimed-job.ts";
import { JobConflictError } from "../errors.ts";
import { notifyCancel } from "../events/notices.ts";
import { holdsLease } from "../fence.ts";
import { lockJob } from "../lock-job.ts";
import type { JobKey } from "../lock-job.ts";
import { afterEnd } from "./after-end.ts";
import { CANCELLED, endAttempt, readEarlierEnd } from "./end-attempt.ts";

/**
 * Cancels a queued or waiting job at once. A running job gets a cancel request, and its worker stops the run within a
 * second. Idempotent. Returns `cancelled`, or `running` until the worker has stopped the run.
 * @throws NotFoundError when the owner has no such job; JobConflictError when it has completed or failed.
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
  await afterEnd(tx, job, "cancelled");
  return "cancelled";
}

/**
 * Ends a running job as cancelled, after its worker has stopped the run.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function settleCancelled(tx: Tx, claim: Claim): Promise<void> {
  const isEnded = await endAttempt(tx, claim, { ...CANCELLED, guard: holdsLease(tx, claim) });
  if (!isEnded) await readEarlierEnd(tx, claim, ["cancelled"]);
}
