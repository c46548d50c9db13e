import { notifyAfterCommit } from "#db";
import type { Executor } from "#db";

/** The channel on which workers hear that jobs are ready; the payload is the queue's name. */
export const READY_CHANNEL = "threadmill_ready";
/** The channel on which workers hear of jobs to cancel; the payload is the job's id. */
export const CANCEL_CHANNEL = "threadmill_cancel";

/** Wakes the workers once the transaction has committed. A lost notice costs time, never a job: workers poll as well. */
export async function notifyReady(sql: Executor, queue: string): Promise<void> {
  await notifyAfterCommit(sql, READY_CHANNEL, queue);
}

/** Tells the worker that runs a job to stop it. */
export async function notifyCancel(sql: Executor, jobId: string): Promise<void> {
  await notifyAfterCommit(sql, CANCEL_CHANNEL, jobId);
}
