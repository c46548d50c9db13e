/**
 * The queue: jobs, their leases, their order and their history. It knows no graph, no HTTP and nothing that threads
 * contain, and it never opens a connection. Invariant: a write for a job takes effect only while its attempt holds an
 * unexpired lease, by the database's clock.
 *
 * This face has what every caller needs. The verbs are in the rooms: `#queue/enqueue`, `#queue/claim`, `#queue/settle`,
 * `#queue/ready`, `#queue/operate`, `#queue/events`, `#queue/schedules`, `#queue/fleet`, `#queue/read`.
 */
export { claimKey } from "./claimed-job.ts";
export type { Claim, ClaimedJob } from "./claimed-job.ts";
export type { NewJob, EnqueuedJob } from "./new-job.ts";
export { checkPayload, MAX_DELAY_MS } from "./check-job.ts";
export {
  NotFoundError,
  InvalidAnswerError,
  InvalidJobError,
  InvalidQueueError,
  InvalidScheduleError,
  JobConflictError,
  LeaseLostError,
  QueueError,
} from "./errors.ts";
export type { QueueErrorCode } from "./errors.ts";
export { holdsLease } from "./fence.ts";
export { lockJob } from "./lock-job.ts";
export type { JobKey, LockedJob } from "./lock-job.ts";
export { lockThread, lockThreads } from "./locks.ts";
export { UNFINISHED } from "./predicates.ts";
export {
  DatabaseUnavailableError,
  Semaphore,
  QueryTimeoutError,
  together,
  checkWritable,
  proveWrites,
  newId,
} from "#db";
export type { Database, DatabaseFault, Executor, Tx } from "#db";
