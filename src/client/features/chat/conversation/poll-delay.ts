import { isTerminal } from "#shared/job-states";
import type { JobStatus } from "#shared/job-states";

const FIRST_MS = 250;
const SLOWEST_MS = 3_000;
const WAITING_MS = 5_000;

export interface Polled {
  status: JobStatus;
  /** When the job may run at the earliest, ISO 8601. */
  runAt: string;
}

/**
 * How long to wait before asking for a job's status again, in milliseconds; false once it has ended. Quick at first,
 * a tenth of the time waited so far later on, and not before a retry is due.
 * @param job the last status; undefined before the first.
 * @param sinceMs how long this job has been watched.
 */
export function pollDelayMs(job: Polled | undefined, sinceMs: number, nowMs: number = Date.now()): number | false {
  if (job && isTerminal(job.status)) return false;
  if (job?.status === "waiting") return WAITING_MS;
  const paced = Math.min(Math.max(FIRST_MS, sinceMs / 10), SLOWEST_MS);
  if (job?.status !== "queued") return paced;
  const dueMs = Date.parse(job.runAt) - nowMs;
  return Math.min(Math.max(paced, dueMs), Math.max(paced, SLOWEST_MS));
}
