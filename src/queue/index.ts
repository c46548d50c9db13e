/**
 * The queue: jobs, their leases, their order and their history, one verb a file. It must never know a graph or HTTP,
 * and never opens a connection. Invariant: a write on a job's behalf takes effect only while that attempt holds an
 * unexpired lease, by the database's clock. Read `claim.ts` first.
 */
export { admitDueKey, findDueKeys } from "./ready/admit.ts";
export { answer } from "./answer.ts";
export { appendEvents, appendParts } from "./events/append-events.ts";
export type { Append, NewEvent } from "./events/append-events.ts";
export { readPast } from "./branch.ts";
export { cancel, settleCancelled } from "./settle/cancel.ts";
export { MAX_DELAY_MS } from "./enqueue/check-job.ts";
export { changePriority } from "./operate/change-priority.ts";
export { claim, claimLimited } from "./claim/claim.ts";
export type { Claim, Claimed, ClaimedJob } from "./claim/claim.ts";
export type { Line } from "./claim/claim-line.ts";
export { complete, completeMany } from "./settle/complete.ts";
export type { Completion, Ending } from "./settle/complete.ts";
export { completeAndClaim } from "./claim/complete-and-claim.ts";
export { listDeadLetters } from "./read/dead-letters.ts";
export { enqueue } from "./enqueue/enqueue.ts";
export type { EnqueuedJob, NewJob } from "./enqueue/enqueue.ts";
export { enqueueMany } from "./enqueue/enqueue-many.ts";
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
export { expireInterrupts } from "./settle/expire-interrupts.ts";
export { fail } from "./settle/fail.ts";
export type { RetryPolicy } from "./settle/fail.ts";
export { holdsLease } from "./fence.ts";
export { getJob, getJobStatus, getJobStatuses } from "./read/get-job.ts";
export type { JobKey } from "./lock-job.ts";
export { graphJobType, listGraphs } from "./graphs.ts";
export { flushClaims } from "./flush.ts";
export { claimKey, heartbeat } from "./fleet/heartbeat.ts";
export type { HeldClaim } from "./fleet/heartbeat.ts";
export { takeIdleThreads } from "./idle-threads.ts";
export { countJobs, listJobs } from "./read/list-jobs.ts";
export { park } from "./settle/park.ts";
export type { NewInterrupt } from "./settle/park.ts";
export { measureQueues } from "./read/measure-queues.ts";
export type { FleetFigures } from "./read/measure-queues.ts";
export { pauseJobType, pauseQueue, sweepPaused } from "./operate/pause.ts";
export { promote } from "./ready/promote.ts";
export { prune, pruneLimitKeys, pruneWorkers } from "./operate/prune.ts";
export { createQueue, listQueues, setQueueLimits } from "./operate/queue-limits.ts";
export { getDecisionSet, getDecisionVersion, getThread, listThreads } from "./read-threads.ts";
export { readAnswers } from "./read-answers.ts";
export { readEvents } from "./events/read-events.ts";
export { readLogHeads } from "./events/read-log-heads.ts";
export type { EventPage } from "./events/read-events.ts";
export { readSpent } from "./read/read-spent.ts";
export { readTrace } from "./read/read-trace.ts";
export { reap } from "./settle/reap.ts";
export { recordTurn } from "./record-turn.ts";
export { discard, redrive } from "./operate/redrive.ts";
export { isRunSomewhere, listWorkers, reportWorker } from "./fleet/register-worker.ts";
export type { Offer, Reaper } from "./fleet/register-worker.ts";
export { checkWritable, proveWrites } from "./prove-writes.ts";
export { release, releaseOrphans } from "./settle/release.ts";
export {
  deleteSchedule,
  fireSchedules,
  listSchedules,
  pauseSchedule,
  runScheduleNow,
  saveSchedule,
} from "./schedules/schedules.ts";
export { submitTurn } from "./submit-turn.ts";
export { survey } from "./fleet/survey.ts";
export type { Survey } from "./fleet/survey.ts";
export { CANCEL_CHANNEL, EVENTS_CHANNEL, notifyEvents, READY_CHANNEL, readNotice } from "./events/wake.ts";
export { DatabaseUnavailableError, Places, QueryTimeoutError, together } from "#db";
export type { Database, DatabaseFault, Executor, Tx } from "#db";
