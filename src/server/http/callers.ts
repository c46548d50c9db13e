/*
 * http/ owns the rules for every request: origin check, security headers, error codes, disconnected callers and stalled
 * readers. It imports no other room. Of the routes it knows only their path prefixes.
 */
import type { FastifyReply } from "fastify";

/** The callers that still wait for a response. */
export class Callers {
  readonly #waiting = new Set<AbortController>();
  #isClosing = false;

  /** Returns a signal that aborts when the caller disconnects before its response is complete, or the server closes. */
  signalFor(reply: FastifyReply): AbortSignal {
    const gone = new AbortController();
    if (this.#isClosing || reply.raw.closed) {
      gone.abort();
      return gone.signal;
    }
    this.#waiting.add(gone);
    // On the response, not on its connection: a kept-alive connection would collect the listeners of all its requests.
    reply.raw.once("close", () => {
      this.#waiting.delete(gone);
      if (!reply.raw.writableFinished) gone.abort();
    });
    return gone.signal;
  }

  /** Ends every wait before the server closes. The callers receive the current state of their job. */
  abortAll(): void {
    this.#isClosing = true;
    for (const gone of this.#waiting) gone.abort();
  }
}
