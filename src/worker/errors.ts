import type { NewInterrupt } from "#queue/settle";

/** A failure that every retry would repeat; the job becomes a dead letter at once. */
export class PermanentError extends Error {
  override readonly name: string = "PermanentError";
}

/** A failure with a known delay of the retry, such as a provider's rate limit. It uses a retry. */
export class RetryAfterError extends Error {
  override readonly name: string = "RetryAfterError";
  /** The delay of the retry, in milliseconds; it replaces the policy's delay. */
  readonly delayMs: number;
  constructor(message: string, delayMs: number, options?: ErrorOptions) {
    super(message, options);
    this.delayMs = delayMs;
  }
}

/** Not a failure: the job is released with a delay and uses no retry. */
export class SnoozeError extends Error {
  override readonly name = "SnoozeError";
  readonly delayMs: number;
  /** The job's history shows the message as the reason. */
  constructor(delayMs: number, message = `Snoozed for ${delayMs} ms`) {
    super(message);
    this.delayMs = delayMs;
  }
}

/** Not a failure: the job waits for the answers of people and holds no worker meanwhile. */
export class WaitError extends Error {
  override readonly name = "WaitError";
  readonly questions: readonly NewInterrupt[];
  constructor(questions: readonly NewInterrupt[]) {
    super("The run waits for a person");
    this.questions = questions;
  }
}

/** The job's attempts have exceeded its model budget; a retry would only spend more. */
export class BudgetExceededError extends PermanentError {
  override readonly name = "BudgetExceededError";
}

/** The run took longer than its timeout; it counts as a failed attempt. */
export class JobTimeoutError extends Error {
  override readonly name = "JobTimeoutError";
  constructor(timeoutMs: number) {
    super(`The run took longer than its timeout of ${timeoutMs} ms`);
  }
}

/** The process in which a job ran alone died: a crash that only this job can have caused. */
export class ProcessDiedError extends Error {
  override readonly name = "ProcessDiedError";
  constructor(message: string) {
    super(message);
    // The stack is the worker's, not that of the dead process.
    delete this.stack;
  }
}

/** The worker shuts down; the job is released without using up a retry. */
export class ShutdownError extends Error {
  override readonly name = "ShutdownError";
}

/** Somebody cancelled the job; it ends as cancelled. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
}
