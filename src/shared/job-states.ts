/** The states a job passes through; the `job_status` enum of the database has the same words in the same order. */
export const JOB_STATUSES = ["queued", "running", "waiting", "completed", "failed", "cancelled"] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** How one attempt of a job ended. */
export const ATTEMPT_OUTCOMES = [
  "completed",
  "failed",
  "lease_expired",
  "released",
  "cancelled",
  "waiting",
  "timed_out",
  "crashed",
] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** Why a queued job is not ready to be claimed; null on the row means that it is. */
export const HOLDS = ["time", "thread", "dependency", "paused", "limit"] as const;
export type Hold = (typeof HOLDS)[number];

/** The states a job never leaves by itself. */
export const TERMINAL_STATUSES = ["completed", "failed", "cancelled"] as const satisfies readonly JobStatus[];

/** True once a job has ended: completed, failed or cancelled. */
export function isTerminal(status: JobStatus): boolean {
  return (TERMINAL_STATUSES as readonly JobStatus[]).includes(status);
}
