/** What can be wrong with a call to the queue; mapped to tRPC and HTTP codes in one place of the server. */
export type QueueErrorCode =
  | "LEASE_LOST"
  | "JOB_NOT_FOUND"
  | "THREAD_NOT_FOUND"
  | "DECISION_SET_NOT_FOUND"
  | "QUEUE_NOT_FOUND"
  | "SCHEDULE_NOT_FOUND"
  | "JOB_CONFLICT"
  | "INTERRUPT_NOT_FOUND"
  | "INVALID_ANSWER"
  | "INVALID_JOB"
  | "INVALID_QUEUE"
  | "INVALID_SCHEDULE";

export abstract class QueueError extends Error {
  abstract readonly code: QueueErrorCode;
}

/** The attempt no longer owns its job, so nothing was written. Stop the run: another attempt has it or will. */
export class LeaseLostError extends QueueError {
  override readonly name = "LeaseLostError";
  readonly code = "LEASE_LOST";
  readonly jobId: string;
  readonly attempt: number;
  constructor(jobId: string, attempt: number) {
    super(`Attempt ${attempt} of job ${jobId} no longer holds its lease`);
    this.jobId = jobId;
    this.attempt = attempt;
  }
}

/** No job of this owner has the id. */
export class JobNotFoundError extends QueueError {
  override readonly name = "JobNotFoundError";
  readonly code = "JOB_NOT_FOUND";
  constructor() {
    super("Job not found");
  }
}

/** No thread of this owner has the id. */
export class ThreadNotFoundError extends QueueError {
  override readonly name = "ThreadNotFoundError";
  readonly code = "THREAD_NOT_FOUND";
  constructor() {
    super("Thread not found");
  }
}

/** No decision set, or no such version of it, for this owner. */
export class DecisionSetNotFoundError extends QueueError {
  override readonly name = "DecisionSetNotFoundError";
  readonly code = "DECISION_SET_NOT_FOUND";
  constructor() {
    super("Decision set not found");
  }
}

/** The job cannot be stored as asked; the message names the field. Correct it and enqueue again. */
export class InvalidJobError extends QueueError {
  override readonly name = "InvalidJobError";
  readonly code = "INVALID_JOB";
}

/** No queue has the name: it is made by its first job, or by `createQueue`. */
export class QueueNotFoundError extends QueueError {
  override readonly name = "QueueNotFoundError";
  readonly code = "QUEUE_NOT_FOUND";
  constructor(queue: string) {
    super(`Queue ${JSON.stringify(queue)} not found`);
  }
}

/** The queue's name or limits cannot be stored as asked; the message names the field. */
export class InvalidQueueError extends QueueError {
  override readonly name = "InvalidQueueError";
  readonly code = "INVALID_QUEUE";
}

/** No schedule of this owner has the id. */
export class ScheduleNotFoundError extends QueueError {
  override readonly name = "ScheduleNotFoundError";
  readonly code = "SCHEDULE_NOT_FOUND";
  constructor() {
    super("Schedule not found");
  }
}

/** The job's state does not allow what was asked; the message says which would. Nothing was changed. */
export class JobConflictError extends QueueError {
  override readonly name = "JobConflictError";
  readonly code = "JOB_CONFLICT";
}

/** The job never asked this; the ids of what it asks are in `jobs.status`. */
export class InterruptNotFoundError extends QueueError {
  override readonly name = "InterruptNotFoundError";
  readonly code = "INTERRUPT_NOT_FOUND";
  constructor(id: string) {
    super(`Interrupt ${JSON.stringify(id)} not found`);
  }
}

/** The answer does not fit what was asked; the message names the field. Nothing was changed. */
export class InvalidAnswerError extends QueueError {
  override readonly name = "InvalidAnswerError";
  readonly code = "INVALID_ANSWER";
}

/** The schedule cannot be stored as asked; the message names the field. */
export class InvalidScheduleError extends QueueError {
  override readonly name = "InvalidScheduleError";
  readonly code = "INVALID_SCHEDULE";
}
