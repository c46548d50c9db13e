import type { NewInterrupt } from "#queue/settle";

/** A failure that no retry can help; the job becomes a dead letter at once. */
export class PermanentError extends Error {
  override readonly name: string = "PermanentError";
}

/** A failure after which a retry makes sense only later, such as a provider's rate limit; it uses a retry. */
export class RetryAfterError extends Error {
  override readonly name: string = "RetryAfterError";
  /** How long the retry waits, in milliseconds, instead of the policy's delay. */
  readonly delayMs: number;
  constructor(message: string, delayMs: number, options?: ErrorOptions) {
    super(message, options);
    this.delayMs = delayMs;
  }
}

/** Not a failure: the job is put back until later and uses no retry. */
export class SnoozeError extends Error {
  override readonly name = "SnoozeError";
  readonly delayMs: number;
  /** The message is kept in the job's history as why. */
  constructor(delayMs: number, message = `Snoozed for ${delayMs} ms`) {
    super(message);
    this.delayMs = delayMs;
  }
}

/** Not a failure: the run waits for people, and its job holds no worker until they have answered. */
export class WaitError extends Error {
  override readonly name = "WaitError";
  readonly questions: readonly NewInterrupt[];
  constructor(questions: readonly NewInterrupt[]) {
    super("The run waits for a person");
    this.questions = questions;
  }
}

/** The run has used more of models than its job may; no retry can help. */
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
    // It would show where the worker noticed, and nothing of the process that died.
    delete this.stack;
  }
}

/** The worker is leaving; the job is released without using up a retry. */
export class ShutdownError extends Error {
  override readonly name = "ShutdownError";
}

/** Somebody cancelled the job; it ends as cancelled. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
}
