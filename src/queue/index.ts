/**
 * The queue: jobs, their leases, their order and their history, one verb a file. It must never know a graph or HTTP,
 * and never opens a connection. Invariant: a write on a job's behalf takes effect only while that attempt holds an
 * unexpired lease, by the database's clock. Read `claim.ts` first.
 */
export { claim } from "./claim.ts";
export type { Claim, ClaimedJob } from "./claim.ts";
export { complete } from "./complete.ts";
export { enqueue } from "./enqueue.ts";
export type { NewJob } from "./enqueue.ts";
export { JobNotFoundError, LeaseLostError, QueueError } from "./errors.ts";
export type { QueueErrorCode } from "./errors.ts";
export { fail } from "./fail.ts";
export type { RetryPolicy } from "./fail.ts";
export { holdsLease } from "./fence.ts";
export { getJob, getJobStatus } from "./get-job.ts";
export { claimKey, heartbeat } from "./heartbeat.ts";
export { countJobs, listJobs } from "./list-jobs.ts";
export { READY_CHANNEL } from "./lock-thread.ts";
export { promote } from "./promote.ts";
export { getDecisionSet, getDecisionVersion, getThread, listThreads } from "./read-threads.ts";
export { reap } from "./reap.ts";
export { recordTurn } from "./record-turn.ts";
export { listWorkers, reportWorker } from "./register-worker.ts";
export { release } from "./release.ts";
export { reportProgress } from "./report-progress.ts";
export { submitTurn } from "./submit-turn.ts";
export { DatabaseUnavailableError } from "#db";
export type { Database, Executor, Tx } from "#db";
