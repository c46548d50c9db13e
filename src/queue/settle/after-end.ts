import type { Tx } from "#db";
import { notifyChanged } from "../events/wake.ts";
import type { LockedJob } from "../lock-job.ts";
import { admit } from "../ready/admit.ts";
import { settleDependents } from "../ready/dependencies.ts";
import { readyNextInThread } from "../ready/ready.ts";

/**
 * What follows once a job has ended that did not run: readers hear of it, the next job of its thread becomes the head,
 * its place under a limit is free, and its dependents go on or fail. `job` is as it was before its end, and locked.
 */
export async function afterEnd(tx: Tx, job: LockedJob, status: "failed" | "cancelled"): Promise<void> {
  await notifyChanged(tx, job);
  const wasHead = job.hold !== "thread";
  if (wasHead) await readyNextInThread(tx, job.threadId);
  await admit(tx, job);
  if (job.hasDependents) await settleDependents(tx, job.jobId, status);
}
