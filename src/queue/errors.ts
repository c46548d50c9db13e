/** What can be wrong with a call to the queue; mapped to tRPC and HTTP codes in one place of the server. */
export type QueueErrorCode =
  | "LEASE_LOST"
  | "JOB_NOT_FOUND"
  | "THREAD_NOT_FOUND"
  | "DECISION_SET_NOT_FOUND"
  | "INVALID_JOB";

export abstract class QueueError extends Error {
  abstract readonly code: QueueErrorCode;
}

/** The attempt no longer owns its job, so nothing was written. Stop the run: another attempt has it or will. */
export class LeaseLostError extends QueueError {
  override readonly name = "LeaseLostError";
  readonly code = "LEASE_LOST";
  constructor(jobId: string, attempt: number) {
    super(`Attempt ${attempt} of job ${jobId} no longer holds its lease`);
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
