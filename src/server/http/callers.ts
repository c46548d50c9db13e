import type { FastifyReply } from "fastify";

/** The callers whose answer is still being made. */
export class Callers {
  readonly #waiting = new Set<AbortController>();
  #dismissed = false;

  /** A signal that aborts when the caller closes the connection before its answer is whole, or the server closes. */
  whenGone(reply: FastifyReply): AbortSignal {
    const gone = new AbortController();
    if (this.#dismissed || reply.raw.closed) {
      gone.abort();
      return gone.signal;
    }
    this.#waiting.add(gone);
    // The response's own end: a connection is kept for many requests, and a listener on it would stay.
    reply.raw.once("close", () => {
      this.#waiting.delete(gone);
      if (!reply.raw.writableFinished) gone.abort();
    });
    return gone.signal;
  }

  /** Ends every wait, so that the server can close: callers get what is known by then. */
  dismiss(): void {
    this.#dismissed = true;
    for (const gone of this.#waiting) gone.abort();
  }
}
