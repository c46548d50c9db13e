import { isTerminal } from "#shared/job-states";
import type { JobStatus } from "#shared/job-states";

const FIRST_MS = 250;
const SLOWEST_MS = 3_000;
const WAITING_MS = 5_000;

export interface Polled {
  status: JobStatus;
  /** The earliest start of the job, ISO 8601. */
  runAt: string;
}

/**
 * The delay until the next poll of a job's status, in milliseconds; false once the job has ended. It grows to a tenth of
 * the time watched so far, from 250 ms to 3 s, and waits for a due retry.
 * @param job the last status; undefined before the first.
 * @param sinceMs the time this job has been watched.
 */
export function pollDelayMs(job: Polled | undefined, sinceMs: number, nowMs: number = Date.now()): number | false {
  if (job && isTerminal(job.status)) return false;
  if (job?.status === "waiting") return WAITING_MS;
  const paced = Math.min(Math.max(FIRST_MS, sinceMs / 10), SLOWEST_MS);
  if (job?.status !== "queued") return paced;
  const dueMs = Date.parse(job.runAt) - nowMs;
  return Math.min(Math.max(paced, dueMs), Math.max(paced, SLOWEST_MS));
}
