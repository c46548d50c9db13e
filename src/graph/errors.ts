/** A failure that another try cannot help, such as a refused key. */
export class PermanentGraphError extends Error {
  override readonly name = "PermanentGraphError";
}

/** The model's provider asks to come back later: try the turn again then. */
export class RateLimitedGraphError extends Error {
  override readonly name = "RateLimitedGraphError";
  /** How long the provider asks to wait, in milliseconds; null when it does not say. */
  readonly retryAfterMs: number | null;
  constructor(retryAfterMs: number | null, options?: ErrorOptions) {
    super(
      `The model's provider limits the rate${retryAfterMs === null ? "" : ` and asks to wait ${retryAfterMs} ms`}`,
      options,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** The run was asked to drain and stopped after a step; its checkpoint is saved, and running the turn again goes on there. */
export class DrainedError extends Error {
  override readonly name = "DrainedError";
}
