import type { Budget } from "#shared/usage";
import type { JobStatus } from "#shared/job-states";

export interface NewJob {
  /** A UUID of the submitter's; a UUIDv7 is made when absent. */
  jobId?: string | undefined;
  ownerId: string;
  jobType: string;
  /** Any JSON value of at most 1 MiB. */
  payload: unknown;
  queue?: string | undefined;
  /** Jobs of one thread run one at a time in submit order; null or absent for jobs of no thread. */
  threadId?: string | null | undefined;
  decisionSetId?: string | null | undefined;
  /** An int32; higher runs first, 0 unless given. */
  priority?: number | undefined;
  /** 0 to 100; 3 unless given, so at most four executions. */
  maxRetries?: number | undefined;
  /**
   * 0 to 100; 3 unless given. How many attempts may end because their process died, froze or was cut off. From its second
   * crash on a job runs alone: with 0 or 1 it never does, and may be blamed for what another job did.
   */
  maxCrashes?: number | undefined;
  /** Per owner; kept for as long as the job is: a second job with it is the first. */
  idempotencyKey?: string | undefined;
  /** What was asked with the idempotency key, for callers that compare it when the key comes again. */
  requestHash?: string | undefined;
  /** Per owner and job type; a second job with it is the first for as long as that is unfinished. */
  uniqueKey?: string | undefined;
  /** What the queue's limits per key count, such as a user's id. */
  limitKey?: string | undefined;
  timeoutMs?: number | undefined;
  /** How much of models all its attempts together may use; without a bound unless given. */
  budget?: Budget | undefined;
  /** How long from now the job may run at the earliest, by the database's clock; 0 unless given. */
  delayMs?: number | undefined;
  /** When the job may run at the earliest, ISO 8601; instead of `delayMs`. */
  runAt?: string | undefined;
  /** The jobs that must have completed first, of the same owner; those of the same batch too. */
  after?: readonly string[] | undefined;
  /** What to do when one of them fails or is cancelled: fail as well (the default), or run anyway. */
  onDependencyFailure?: "fail" | "run" | undefined;
  /** W3C trace context of the submitter. */
  traceContext?: Readonly<Record<string, string>> | undefined;
  /** Of jobs that a schedule makes: the schedule and the tick. */
  scheduleId?: string | undefined;
  scheduledFor?: string | undefined;
}

export interface EnqueuedJob {
  jobId: string;
  threadId: string | null;
  decisionSetId: string | null;
  status: JobStatus;
  /** False when a key had a job already, which is the one returned. */
  created: boolean;
}

/** A job with what is made for it when its submitter gave none. */
export type Entry = Required<NewJob> & { jobId: string; queue: string; payloadJson: string };
