import type { Budget } from "#shared/usage";

/** The right to run one job: `(jobId, attempt)` is the fencing token that every write on the job's behalf carries. */
export interface Claim {
  jobId: string;
  attempt: number;
  workerId: string;
  queue: string;
  /** Null for a job of no thread. */
  threadId: string | null;
  /** Null for a job that no limit per key counts. */
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
  /** How many crashes it has survived: attempts whose process died, froze or was cut off. */
  crashCount: number;
  /** Null where the job type's own or the default timeout applies. */
  timeoutMs: number | null;
  /** How much of models all its attempts together may use; null without a bound. */
  budget: Budget | null;
  /** The number of the last event in the job's log; 0 when there is none. */
  eventSeq: number;
  /** How long it had been due when it was claimed, in milliseconds; null for a job without a trace context. */
  waitedMs: number | null;
  /** W3C trace context of the submitter; null when there was none. */
  traceContext: Record<string, string> | null;
}

/** The fencing token as one string. */
export function claimKey(claim: Pick<Claim, "jobId" | "attempt">): string {
  return `${claim.jobId}:${claim.attempt}`;
}
