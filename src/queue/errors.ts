/** The codes of the queue's errors. The server maps them to tRPC and HTTP codes in one table. */
export type QueueErrorCode =
  | "LEASE_LOST"
  | "NOT_FOUND"
  | "JOB_CONFLICT"
  | "INVALID_ANSWER"
  | "INVALID_JOB"
  | "INVALID_QUEUE"
  | "INVALID_SCHEDULE";

export abstract class QueueError extends Error {
  abstract readonly code: QueueErrorCode;
}

/** The attempt no longer owns its job, and nothing was written. Stop the run: another attempt owns the job or will. */
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

export type Entity = "Job" | "Thread" | "Decision set" | "Queue" | "Schedule" | "Interrupt";

/** The owner has no such thing. Check the id; a thing of another owner looks the same as none. */
export class NotFoundError extends QueueError {
  override readonly name = "NotFoundError";
  readonly code = "NOT_FOUND";
  readonly entity: Entity;
  readonly id: string;
  constructor(entity: Entity, id: string) {
    const named = entity === "Queue" || entity === "Interrupt" ? `${entity} ${JSON.stringify(id)}` : entity;
    super(`${named} not found`);
    this.entity = entity;
    this.id = id;
  }
}

/** The job cannot be stored as asked; the message names the field. Correct it and enqueue again. */
export class InvalidJobError extends QueueError {
  override readonly name = "InvalidJobError";
  readonly code = "INVALID_JOB";
}

/** The queue's name or limits cannot be stored as asked; the message names the field. */
export class InvalidQueueError extends QueueError {
  override readonly name = "InvalidQueueError";
  readonly code = "INVALID_QUEUE";
}

/** The job's state does not allow the call; the message says which state does. Nothing was changed. */
export class JobConflictError extends QueueError {
  override readonly name = "JobConflictError";
  readonly code = "JOB_CONFLICT";
}

/** The answer does not fit the interrupt's schema; the message names the field. Nothing was changed. */
export class InvalidAnswerError extends QueueError {
  override readonly name = "InvalidAnswerError";
  readonly code = "INVALID_ANSWER";
}

/** The schedule cannot be stored as asked; the message names the field. */
export class InvalidScheduleError extends QueueError {
  override readonly name = "InvalidScheduleError";
  readonly code = "INVALID_SCHEDULE";
}
