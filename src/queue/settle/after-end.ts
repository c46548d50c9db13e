import type { Tx } from "#db";
import { notifyChanged } from "../events/notices.ts";
import type { LockedJob } from "../lock-job.ts";
import { admit } from "../ready/admit.ts";
import { settleDependents } from "../ready/dependencies.ts";
import { readyNextInThread } from "../ready/ready.ts";

/**
 * Follows up the end of a job that was not running: notifies readers, readies the thread's next job, frees the slot and
 * settles the dependents. `job` is its locked state before the end.
 */
export async function afterEnd(tx: Tx, job: LockedJob, status: "failed" | "cancelled"): Promise<void> {
  await notifyChanged(tx, job);
  if (job.hold !== "thread") await readyNextInThread(tx, job.threadId);
  await admit(tx, job);
  if (job.hasDependents) await settleDependents(tx, job.jobId, status);
}
