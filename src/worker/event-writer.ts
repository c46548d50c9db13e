import type { Logger } from "pino";
import { faultPoint } from "#fault";
import { appendEvents, LeaseLostError } from "#queue";
import type { ClaimedJob, Database, NewEvent } from "#queue";
import type { Usage } from "#shared/usage";
import { describeError } from "./describe-error.ts";
import { persist } from "./persist.ts";
import { storable } from "./storable.ts";

/** At most one write in this time: tokens that come faster share one. */
const SPACING_MS = 40;

export interface EventWriterOptions {
  db: Database;
  job: ClaimedJob;
  log: Logger;
  /** How long what is left at the end is worth sending again, in milliseconds. */
  leaseMs: number;
  /** Called when a write showed that the attempt no longer owns its job. */
  onLost: (error: LeaseLostError) => void;
}

/**
 * Writes a run's events to its job's log, in order and fenced; what comes faster than every 40 ms shares a write, and
 * pieces of text become one. The first write begins with `started`, which tells readers to drop what an earlier
 * attempt had begun. A write that failed is sent again with the next; after the lease is lost, nothing is written.
 */
export class EventWriter {
  readonly #options: EventWriterOptions;
  #waiting: NewEvent[] = [];
  #sending: { events: NewEvent[]; progress: Progress | undefined; usage: Usage | undefined } | undefined;
  #progress: Progress | undefined;
  #usage: Usage | undefined;
  #after: number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #wroteAt = -Infinity;
  /** Set once the lease is lost or the run is over: what a handler that goes on adds then is dropped. */
  #closed = false;

  constructor(options: EventWriterOptions) {
    this.#options = options;
    this.#after = options.job.eventSeq;
  }

  /** Adds an event; it is written within 40 ms. Data that is no JSON value counts as null. */
  add(type: string, given: unknown): void {
    if (this.#closed) return;
    const data = this.#keep(given);
    if (this.#waiting.length === 0 && this.#wroteAt === -Infinity) {
      const { workerId, attempt } = this.#options.job;
      this.#waiting.push({ type: "started", data: { workerId, attempt } });
    }
    const last = this.#waiting.at(-1);
    if (
      type === "token" &&
      last?.type === "token" &&
      isToken(last.data) &&
      isToken(data) &&
      last.data.step === data.step &&
      last.data.message === data.message
    ) {
      last.data = { ...last.data, text: last.data.text + data.text };
    } else {
      this.#waiting.push({ type, data });
    }
    this.#schedule();
  }

  /** Shows a step on the job and in its log. */
  report(progress: Progress): void {
    this.#progress = storable(progress);
    this.add("progress", progress);
  }

  /** Shows on the job what the attempt has used of models so far. */
  spend(usage: Usage): void {
    this.#usage = usage;
    this.add("usage", usage);
  }

  /**
   * Writes what is left; call it before the attempt is settled, whose closing event comes after all others. While the
   * database is away it is sent again, for as long as the lease can hold: the end of an attempt waits for its log.
   */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#writing) await this.#writing;
    try {
      while (this.#sending || this.#waiting.length > 0) await persist(async () => this.#send(), this.#options.leaseMs);
    } catch (error) {
      this.#miss(error);
    }
  }

  /** What cannot be stored must not keep the rest from being written. */
  #keep(data: unknown): unknown {
    try {
      return storable(data);
    } catch (error) {
      this.#options.log.warn({ err: describeError(error) }, "an event's data is no JSON value: it is written without");
      return null;
    }
  }

  #schedule(): void {
    if (this.#timer || this.#writing) return;
    const delayMs = Math.max(0, this.#wroteAt + SPACING_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const writing = this.#send().catch((error: unknown) => this.#miss(error));
      this.#writing = writing.then(() => {
        this.#writing = undefined;
        if (!this.#closed && (this.#sending || this.#waiting.length > 0)) this.#schedule();
      });
    }, delayMs);
  }

  async #send(): Promise<void> {
    const { db, job } = this.#options;
    // A batch that may have been written is sent again as it was: the log's number tells whether it had been.
    this.#sending ??= { events: this.#waiting.splice(0), progress: this.#progress, usage: this.#usage };
    const { events, progress, usage } = this.#sending;
    this.#wroteAt = performance.now();
    faultPoint("before events");
    this.#after = await db.call(async (sql) => appendEvents(sql, job, { events, progress, usage, after: this.#after }));
    this.#sending = undefined;
    faultPoint("events written");
  }

  /** Keeps what could not be written for the next time, or for none when the lease is lost. */
  #miss(error: unknown): void {
    const { log, onLost } = this.#options;
    if (error instanceof LeaseLostError) {
      this.#closed = true;
      this.#sending = undefined;
      this.#waiting = [];
      onLost(error);
    } else {
      log.debug({ err: describeError(error) }, "events were not written; they will be with the next");
    }
  }
}

interface Progress {
  step: string;
  detail?: string;
}

function isToken(data: unknown): data is { text: string; step?: unknown; message?: unknown } {
  return typeof data === "object" && data !== null && "text" in data && typeof data.text === "string";
}
