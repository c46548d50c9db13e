import { notifyAfterCommit } from "#db";
import type { Executor } from "#db";

/** Tells workers that jobs are ready; the payload is the queue's name. */
export const READY_CHANNEL = "threadmill_ready";
/** Tells workers to cancel a job; the payload is the job's id. */
export const CANCEL_CHANNEL = "threadmill_cancel";

/**
 * Tells readers about a job's event log. The payload is the job's id when the log has grown. It is `<id> changed` when the
 * job has ended, waits or is queued again; `readNotice` parses both.
 */
export const EVENTS_CHANNEL = "threadmill_events";

/** Wakes the workers after the commit. A lost notice costs time, never a job: workers poll as well. */
export async function notifyReady(sql: Executor, queue: string): Promise<void> {
  await notifyAfterCommit(sql, READY_CHANNEL, queue);
}

/** Tells the job's worker to stop the run. */
export async function notifyCancel(sql: Executor, jobId: string): Promise<void> {
  await notifyAfterCommit(sql, CANCEL_CHANNEL, jobId);
}

/** Tells readers that a job's event log has grown. */
export async function notifyEvents(sql: Executor, jobId: string): Promise<void> {
  await notifyAfterCommit(sql, EVENTS_CHANNEL, jobId);
}

const CHANGED = " changed";
/** Shared, because hundreds of jobs without a reader may end at once. */
const NO_READER = Promise.resolve();

/** Tells readers of a job's event log that its status has changed. A job without a thread and events has no readers. */
export function notifyChanged(
  sql: Executor,
  job: { jobId: string; threadId: string | null; eventSeq: number },
): Promise<void> {
  if (job.threadId === null && job.eventSeq === 0) return NO_READER;
  return notifyAfterCommit(sql, EVENTS_CHANNEL, changedNotice(job.jobId));
}

/** The payload that `notifyChanged` sends. */
export function changedNotice(jobId: string): string {
  return jobId + CHANGED;
}

/** Parses a payload of `EVENTS_CHANNEL`. */
export function readNotice(payload: string): { jobId: string; changed: boolean } {
  const changed = payload.endsWith(CHANGED);
  return { jobId: changed ? payload.slice(0, -CHANGED.length) : payload, changed };
}
