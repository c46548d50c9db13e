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
 * Returns the milliseconds until the next poll of a job's status; false once the job has ended. The delay is a tenth of
 * the time watched so far, from 250 ms to 3 s. A queued job that is not due yet is polled when it is due, or after 3 s.
 * @param job the last status; undefined before the first.
 * @param sinceMs the milliseconds for which this job has been watched.
 */
export function pollDelayMs(job: Polled | undefined, sinceMs: number, nowMs: number = Date.now()): number | false {
  if (job && isTerminal(job.status)) return false;
  if (job?.status === "waiting") return WAITING_MS;
  const paced = Math.min(Math.max(FIRST_MS, sinceMs / 10), SLOWEST_MS);
  if (job?.status !== "queued") return paced;
  return Math.min(Math.max(paced, Date.parse(job.runAt) - nowMs), SLOWEST_MS);
}
