/**
 * The queue: jobs, their leases, their order and their history, one verb a file. It must never know a graph or HTTP,
 * and never opens a connection. Invariant: a write on a job's behalf takes effect only while that attempt holds an
 * unexpired lease, by the database's clock. Read `claim.ts` first.
 */
export { admitDueKey, findDueKeys } from "./admit.ts";
export { answer } from "./answer.ts";
export { appendEvents, appendParts } from "./append-events.ts";
export type { Append, NewEvent } from "./append-events.ts";
export { readPast } from "./branch.ts";
export { cancel, settleCancelled } from "./cancel.ts";
export { MAX_DELAY_MS } from "./check-job.ts";
export { changePriority } from "./change-priority.ts";
export { claim, claimLimited } from "./claim.ts";
export type { Claim, Claimed, ClaimedJob } from "./claim.ts";
export type { Line } from "./claim-line.ts";
export { complete, completeMany } from "./complete.ts";
export type { Completion, Ending } from "./complete.ts";
export { completeAndClaim } from "./complete-and-claim.ts";
export { listDeadLetters } from "./dead-letters.ts";
export { enqueue } from "./enqueue.ts";
export type { EnqueuedJob, NewJob } from "./enqueue.ts";
export { enqueueMany } from "./enqueue-many.ts";
export {
  InterruptNotFoundError,
  InvalidAnswerError,
  InvalidJobError,
  InvalidQueueError,
  InvalidScheduleError,
  JobConflictError,
  JobNotFoundError,
  LeaseLostError,
  QueueError,
  QueueNotFoundError,
  ScheduleNotFoundError,
  ThreadNotFoundError,
} from "./errors.ts";
export type { QueueErrorCode } from "./errors.ts";
export { expireInterrupts } from "./expire-interrupts.ts";
export { fail } from "./fail.ts";
export type { RetryPolicy } from "./fail.ts";
export { holdsLease } from "./fence.ts";
export { getJob, getJobStatus, getJobStatuses } from "./get-job.ts";
export type { JobKey } from "./lock-job.ts";
export { graphJobType, listGraphs } from "./graphs.ts";
export { flushClaims } from "./flush.ts";
export { claimKey, heartbeat } from "./heartbeat.ts";
export type { HeldClaim } from "./heartbeat.ts";
export { takeIdleThreads } from "./idle-threads.ts";
export { countJobs, listJobs } from "./list-jobs.ts";
export { park } from "./park.ts";
export type { NewInterrupt } from "./park.ts";
export { measureQueues } from "./measure-queues.ts";
export type { FleetFigures } from "./measure-queues.ts";
export { pauseJobType, pauseQueue, sweepPaused } from "./pause.ts";
export { promote } from "./promote.ts";
export { prune, pruneLimitKeys, pruneWorkers } from "./prune.ts";
export { createQueue, listQueues, setQueueLimits } from "./queue-limits.ts";
export { getDecisionSet, getDecisionVersion, getThread, listThreads } from "./read-threads.ts";
export { readAnswers } from "./read-answers.ts";
export { readEvents } from "./read-events.ts";
export { readLogHeads } from "./read-log-heads.ts";
export type { EventPage } from "./read-events.ts";
export { readSpent } from "./read-spent.ts";
export { readTrace } from "./read-trace.ts";
export { reap } from "./reap.ts";
export { recordTurn } from "./record-turn.ts";
export { discard, redrive } from "./redrive.ts";
export { isRunSomewhere, listWorkers, reportWorker } from "./register-worker.ts";
export type { Offer, Reaper } from "./register-worker.ts";
export { checkWritable, proveWrites } from "./prove-writes.ts";
export { release, releaseOrphans } from "./release.ts";
export {
  deleteSchedule,
  fireSchedules,
  listSchedules,
  pauseSchedule,
  runScheduleNow,
  saveSchedule,
} from "./schedules.ts";
export { submitTurn } from "./submit-turn.ts";
export { survey } from "./survey.ts";
export type { Survey } from "./survey.ts";
export { CANCEL_CHANNEL, EVENTS_CHANNEL, notifyEvents, READY_CHANNEL, readNotice } from "./wake.ts";
export { DatabaseUnavailableError, Places, QueryTimeoutError, together } from "#db";
export type { Database, DatabaseFault, Executor, Tx } from "#db";
