/** The states of a job; the database's `job_status` enum has the same words in the same order. */
export const JOB_STATUSES = ["queued", "running", "waiting", "completed", "failed", "cancelled"] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** The ways in which an attempt ends. */
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

/** The reasons why a queued job cannot be claimed; null on the row means ready. */
export const HOLDS = ["time", "thread", "dependency", "paused", "limit"] as const;
export type Hold = (typeof HOLDS)[number];

/** The states of ended jobs; only an operator's redrive leaves them. */
export const TERMINAL_STATUSES = ["completed", "failed", "cancelled"] as const satisfies readonly JobStatus[];

/** True once a job has ended: completed, failed or cancelled. */
export function isTerminal(status: JobStatus): boolean {
  return (TERMINAL_STATUSES as readonly JobStatus[]).includes(status);
}
