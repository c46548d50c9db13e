/** A failure that a retry cannot fix, such as a refused key. */
export class PermanentGraphError extends Error {
  override readonly name = "PermanentGraphError";
}

/** The model's provider limits the rate: retry the turn after `retryAfterMs`. */
export class RateLimitedGraphError extends Error {
  override readonly name = "RateLimitedGraphError";
  /** The delay that the provider asks for, in milliseconds; null when it names none. */
  readonly retryAfterMs: number | null;
  constructor(retryAfterMs: number | null, options?: ErrorOptions) {
    super(
      `The model's provider limits the rate${retryAfterMs === null ? "" : ` and asks to wait ${retryAfterMs} ms`}`,
      options,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** A drain request stopped the run after a step. Its checkpoint is saved: running the turn again resumes there. */
export class DrainedError extends Error {
  override readonly name = "DrainedError";
}
