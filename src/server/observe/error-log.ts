/*
 * observe/ owns the operators' view: the log of failed requests, metrics, health and the spans of submits. It changes no
 * job. It knows the names of the tRPC procedures, and imports nothing else of `trpc/` or `rest/`.
 */
import { DatabaseUnavailableError } from "#queue";
import type { FastifyBaseLogger, FastifyRequest } from "fastify";
import { redact } from "#shared/redact";
import { mapError } from "../http/map-error.ts";

const WINDOW_MS = 5_000;
/** When this many reasons are open, further ones share the reason "others". */
const MAX_REASONS = 50;
const MAX_CHARS = 4_000;
const MAX_CAUSES = 3;

interface Window {
  leftOut: number;
  timer: NodeJS.Timeout;
}

/**
 * Logs the responses with a status of 500 or more. The first response per reason is logged at once, with its error. The
 * responses of the next 5 seconds are only counted, in one line. Invariant: no line contains a secret or a caller's
 * input. Of an error, only the name, code, message and stack are written, redacted.
 */
export class ErrorLog {
  readonly #log: FastifyBaseLogger;
  readonly #windows = new Map<string, Window>();
  readonly #reported = new WeakSet<FastifyRequest>();

  constructor(log: FastifyBaseLogger) {
    this.#log = log;
  }

  /** Logs the error of a failed request. Further calls for the same request do nothing. */
  report(error: unknown, request: FastifyRequest): void {
    if (this.#reported.has(request)) return;
    this.#reported.add(request);
    const status = mapError(error).httpStatus;
    const own = reasonOf(error);
    const reason = this.#windows.size < MAX_REASONS || this.#windows.has(own) ? own : "others";
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

  /** Logs a response with a status of 500 or more whose error was not reported. */
  reportResponse(status: number, request: FastifyRequest): void {
    if (status >= 500) this.report(Object.assign(new Error(`answered ${status}`), { name: `HTTP${status}` }), request);
  }

  /** Logs the counts so far, and stops. */
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

/** Returns one of a small number of reasons, because each reason gets its own log line. */
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

/** Copies only the safe fields. An error of the driver also contains row values. */
function describe(error: unknown, depth = 0): Described {
  if (!(error instanceof Error)) return { type: typeof error, message: "the thrown value is not an error" };
  const code: unknown = "code" in error ? error.code : undefined;
  return {
    type: error.name,
    message: redact(error.message.slice(0, MAX_CHARS)),
    ...(typeof code === "string" && { code }),
    // The stack does not help when the database is unreachable or full.
    ...(depth === 0 &&
      !(error instanceof DatabaseUnavailableError) && { stack: redact((error.stack ?? "").slice(0, MAX_CHARS)) }),
    ...(error.cause instanceof Error && depth < MAX_CAUSES && { cause: describe(error.cause, depth + 1) }),
  };
}
