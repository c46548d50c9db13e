import { notifyAfterCommit } from "#db";
import type { Executor } from "#db";

/** The channel on which workers hear that jobs are ready; the payload is the queue's name. */
export const READY_CHANNEL = "threadmill_ready";
/** The channel on which workers hear of jobs to cancel; the payload is the job's id. */
export const CANCEL_CHANNEL = "threadmill_cancel";

/**
 * The channel on which readers hear of a job's event log; the payload is the job's id where the log has grown, and
 * `<id> changed` where the job has ended, waits or is queued again: see `readNotice`.
 */
export const EVENTS_CHANNEL = "threadmill_events";

/** Wakes the workers once the transaction has committed. A lost notice costs time, never a job: workers poll as well. */
export async function notifyReady(sql: Executor, queue: string): Promise<void> {
  await notifyAfterCommit(sql, READY_CHANNEL, queue);
}

/** Tells the worker that runs a job to stop it. */
export async function notifyCancel(sql: Executor, jobId: string): Promise<void> {
  await notifyAfterCommit(sql, CANCEL_CHANNEL, jobId);
}

/** Tells those who read a job's event log that there is more. */
export async function notifyEvents(sql: Executor, jobId: string): Promise<void> {
  await notifyAfterCommit(sql, EVENTS_CHANNEL, jobId);
}

const CHANGED = " changed";
/** One for all: most jobs have nobody to tell, and they end by the hundred. */
const TOLD_NOBODY = Promise.resolve();

/** Tells those who read a job's event log, or wait for its end, that its status has changed; jobs of no thread that wrote no event have nobody to tell. */
export function notifyChanged(
  sql: Executor,
  job: { jobId: string; threadId: string | null; eventSeq: number },
): Promise<void> {
  if (job.threadId === null && job.eventSeq === 0) return TOLD_NOBODY;
  return notifyAfterCommit(sql, EVENTS_CHANNEL, changedNotice(job.jobId));
}

/** What `notifyChanged` sends. */
export function changedNotice(jobId: string): string {
  return jobId + CHANGED;
}

/** What a payload of `EVENTS_CHANNEL` says: whose log has grown, and whether the job's status has changed. */
export function readNotice(payload: string): { jobId: string; changed: boolean } {
  const changed = payload.endsWith(CHANGED);
  return { jobId: changed ? payload.slice(0, -CHANGED.length) : payload, changed };
}
