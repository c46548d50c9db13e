/** A failure that no retry can help; the job becomes a dead letter at once. */
export class PermanentError extends Error {
  override readonly name: string = "PermanentError";
}

/** The run took longer than its timeout; it counts as a failed attempt. */
export class JobTimeoutError extends Error {
  override readonly name = "JobTimeoutError";
  constructor(timeoutMs: number) {
    super(`The run took longer than its timeout of ${timeoutMs} ms`);
  }
}

/** The worker is leaving; the job is released without using up a retry. */
export class ShutdownError extends Error {
  override readonly name = "ShutdownError";
}
