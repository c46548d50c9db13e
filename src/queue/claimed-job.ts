import type { Budget } from "#shared/usage";

/** The right to run one job: `(jobId, attempt)` is the fencing token that every write for the job carries. */
export interface Claim {
  jobId: string;
  attempt: number;
  workerId: string;
  queue: string;
  /** Null for a job without a thread. */
  threadId: string | null;
  /** Null for a job without a limited key. */
  limitKey: string | null;
}

export interface ClaimedJob extends Claim {
  ownerId: string;
  decisionSetId: string | null;
  jobType: string;
  priority: number;
  payload: unknown;
  retryCount: number;
  maxRetries: number;
  /** Attempts that ended because their process died, froze or lost the database. */
  crashCount: number;
  /** In milliseconds; null when the timeout of the job type or of the worker applies. */
  timeoutMs: number | null;
  /** The most that all attempts together may use of models; null without a limit. */
  budget: Budget | null;
  /** The number of the last event in the job's log; 0 when there is none. */
  eventSeq: number;
  /** The time from due to claimed, in milliseconds; null for a job without a trace context. */
  waitedMs: number | null;
  /** W3C trace context of the submitter; null without one. */
  traceContext: Record<string, string> | null;
}

/** The fencing token as one string, for maps. */
export function claimKey(claim: Pick<Claim, "jobId" | "attempt">): string {
  return `${claim.jobId}:${claim.attempt}`;
}
