import type { Budget } from "#shared/usage";
import type { JobStatus } from "#shared/job-states";

export interface NewJob {
  /** A UUID; a UUIDv7 unless given. */
  jobId?: string | undefined;
  ownerId: string;
  jobType: string;
  /** Any JSON value of at most 1 MiB. */
  payload: unknown;
  queue?: string | undefined;
  /** Jobs of one thread run one at a time, in submit order. Null or absent: no thread. */
  threadId?: string | null | undefined;
  decisionSetId?: string | null | undefined;
  /** An int32; higher runs first, 0 unless given. */
  priority?: number | undefined;
  /** 0 to 100; 3 unless given, so at most four executions. */
  maxRetries?: number | undefined;
  /**
   * 0 to 100; 3 unless given. The attempts that may end because their process died, froze or lost the database. From its
   * second crash on a job runs alone. With 0 or 1 it never does, and another job's crash may count against it.
   */
  maxCrashes?: number | undefined;
  /** Unique per owner for as long as the job is kept: enqueueing it again returns the first job. */
  idempotencyKey?: string | undefined;
  /** A hash of the request, for callers that compare a repeated idempotency key's content. */
  requestHash?: string | undefined;
  /** Unique per owner and job type among unfinished jobs: enqueueing it again returns the unfinished job. */
  uniqueKey?: string | undefined;
  /** The key by which the queue's limits per key count jobs, such as a user's id. */
  limitKey?: string | undefined;
  timeoutMs?: number | undefined;
  /** The most tokens or US dollars that all attempts together may use; no limit unless given. */
  budget?: Budget | undefined;
  /** The delay before the job may run, in milliseconds by the database's clock; 0 unless given. */
  delayMs?: number | undefined;
  /** The earliest start, ISO 8601; instead of `delayMs`. */
  runAt?: string | undefined;
  /** Ids of the owner's jobs that must complete first; they may be in the same batch. */
  after?: readonly string[] | undefined;
  /** When one of `after` fails or is cancelled: fail too (the default), or run anyway. */
  onDependencyFailure?: "fail" | "run" | undefined;
  /** W3C trace context of the submitter. */
  traceContext?: Readonly<Record<string, string>> | undefined;
  /** The schedule that made the job, and its tick. */
  scheduleId?: string | undefined;
  scheduledFor?: string | undefined;
}

export interface EnqueuedJob {
  jobId: string;
  threadId: string | null;
  decisionSetId: string | null;
  status: JobStatus;
  /** False when this is the job that already had the key. */
  created: boolean;
}

/** A job with its defaults filled in. */
export type Entry = Required<NewJob> & { jobId: string; queue: string; payloadJson: string };
