import { DatabaseUnavailableError } from "#queue";
import type { FastifyBaseLogger, FastifyRequest } from "fastify";
import { redact } from "#shared/redact";
import { mapError } from "../http/map-error.ts";

const WINDOW_MS = 5_000;
/** Reasons beyond so many at a time share one line. */
const MOST_REASONS = 50;
const MAX_CHARS = 4_000;
const MAX_CAUSES = 3;

interface Window {
  leftOut: number;
  timer: NodeJS.Timeout;
}

/**
 * The log of answers with a status of 500 or more. The first of each reason is logged at once, with its error; those that
 * follow within five seconds are counted, and the count is one line. Invariant: no line holds a secret or what a caller
 * sent; of an error only its name, code, message and stack are written, redacted.
 */
export class FaultLog {
  readonly #log: FastifyBaseLogger;
  readonly #windows = new Map<string, Window>();
  readonly #reported = new WeakSet<FastifyRequest>();

  constructor(log: FastifyBaseLogger) {
    this.#log = log;
  }

  /** Logs why a request failed; once for each request. */
  report(error: unknown, request: FastifyRequest): void {
    if (this.#reported.has(request)) return;
    this.#reported.add(request);
    const status = mapError(error).httpStatus;
    const known = this.#windows.size < MOST_REASONS || this.#windows.has(reasonOf(error));
    const reason = known ? reasonOf(error) : "others";
    const window = this.#windows.get(reason);
    if (window) {
      window.leftOut += 1;
      return;
    }
    this.#open(reason);
    const [path = ""] = request.url.split("?");
    const fields = { reason, method: request.method, path: redact(path.slice(0, 200)), error: describe(error) };
    if (status === 503) this.#log.warn(fields, "request failed");
    else this.#log.error(fields, "request failed");
  }

  /** Logs an answer of 500 or more that nobody has reported. */
  reportAnswer(status: number, request: FastifyRequest): void {
    if (status >= 500) this.report(Object.assign(new Error(`answered ${status}`), { name: `HTTP${status}` }), request);
  }

  /** Logs what was left out so far, and stops. */
  close(): void {
    for (const [reason, { leftOut, timer }] of this.#windows) {
      clearTimeout(timer);
      this.#logLeftOut(reason, leftOut);
    }
    this.#windows.clear();
  }

  #open(reason: string): void {
    const timer = setTimeout(() => {
      const leftOut = this.#windows.get(reason)?.leftOut ?? 0;
      this.#windows.delete(reason);
      if (leftOut === 0) return;
      this.#logLeftOut(reason, leftOut);
      this.#open(reason);
    }, WINDOW_MS);
    timer.unref();
    this.#windows.set(reason, { leftOut: 0, timer });
  }

  #logLeftOut(reason: string, leftOut: number): void {
    if (leftOut > 0) this.#log.warn({ reason, leftOut }, "more requests failed for the same reason");
  }
}

/** Few and short: each is a line of the log. */
function reasonOf(error: unknown): string {
  if (error instanceof DatabaseUnavailableError) return error.fault;
  if (!(error instanceof Error)) return "unknown";
  const code = "code" in error && typeof error.code === "string" ? ` ${error.code}` : "";
  return redact(`${error.name}${code}`.slice(0, 100));
}

interface Described {
  type: string;
  message: string;
  code?: string;
  stack?: string;
  cause?: Described;
}

/** Not the error itself: the driver's has details with values of rows. */
function describe(error: unknown, depth = 0): Described {
  if (!(error instanceof Error)) return { type: typeof error, message: "something that is no error was thrown" };
  const code: unknown = "code" in error ? error.code : undefined;
  return {
    type: error.name,
    message: redact(error.message.slice(0, MAX_CHARS)),
    ...(typeof code === "string" && { code }),
    // Of a database that is away or full, the place in our code says nothing.
    ...(depth === 0 &&
      !(error instanceof DatabaseUnavailableError) && { stack: redact((error.stack ?? "").slice(0, MAX_CHARS)) }),
    ...(error.cause instanceof Error && depth < MAX_CAUSES && { cause: describe(error.cause, depth + 1) }),
  };
}
