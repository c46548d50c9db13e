import { LeaseLostError } from "#queue";
import type { ClaimedJob, Database } from "#queue";
import { appendEvents, appendParts, notifyEvents } from "#queue/events";
import type { Append, NewEvent } from "#queue/events";
import type { Logger } from "pino";
import { faultPoint } from "#fault";
import type { Along } from "#checkpoint";
import { MAX_EVENT_BYTES } from "#shared/limits";
import type { Usage } from "#shared/usage";
import { describeError } from "./describe-error.ts";
import type { Persist } from "./persist.ts";
import { byteLengthOf, storable } from "./storable.ts";

/** At most one write in this time: tokens that come faster share one. */
const SPACING_MS = 40;
/** Pieces of text become one event up to this length, so that merging never makes one too large. */
const MAX_TOKEN_CHARS = 32_000;
/** What is shown of a step whose name or detail is too large. */
const MAX_STEP_CHARS = 200;

export interface EventWriterOptions {
  db: Database;
  job: ClaimedJob;
  log: Logger;
  /** Sends again what was sent while the database was away. */
  persist: Persist;
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
  #sending: Append | undefined;
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

  /** Adds an event; it is written within 40 ms. Data that is no JSON value counts as null, and too much of it as a note. */
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
      last.data.message === data.message &&
      last.data.text.length + data.text.length <= MAX_TOKEN_CHARS
    ) {
      last.data = { ...last.data, text: last.data.text + data.text };
    } else {
      this.#waiting.push({ type, data });
    }
    this.#schedule();
  }

  /** Shows a step on the job and in its log. */
  report(progress: Progress): void {
    const kept = storable(progress);
    this.#progress = byteLengthOf(kept) <= MAX_EVENT_BYTES ? kept : { step: kept.step.slice(0, MAX_STEP_CHARS) };
    this.add("progress", progress);
  }

  /** Shows on the job what the attempt has used of models so far. */
  spend(usage: Usage): void {
    this.#usage = usage;
    this.add("usage", usage);
  }

  /**
   * Gives what waits to be written to a statement of the run's own; undefined when nothing does, when some is being
   * written, and after the run's end.
   */
  takeAlong(): Along | undefined {
    if (this.#closed || this.#writing || (!this.#sending && this.#waiting.length === 0)) return undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { db, job } = this.#options;
    const append = this.#next();
    let end = (): void => undefined;
    this.#writing = new Promise((resolve) => {
      end = resolve;
    });
    faultPoint("before events");
    return {
      parts: (sql) => appendParts(sql, job, append),
      settle: (written) => {
        if (written) {
          this.#written(append);
          void notifyEvents(db.sql, job.jobId);
        }
        this.#goOn();
        end();
      },
    };
  }

  /** Adds nothing from now on: what a handler that goes on tells after its end is dropped. */
  seal(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * What is left once it is sealed, for the transaction that completes the job; undefined when nothing is. Call `close`
   * where that fails, and `forget` where it has committed.
   */
  async rest(): Promise<Append | undefined> {
    await this.#untilWritten();
    // A batch that may have been written is sent by itself, which finds out.
    if (this.#sending) await this.#sendLeft();
    return this.#waiting.length > 0 ? this.#next() : undefined;
  }

  /** What `rest` gave is written. */
  forget(): void {
    this.#sending = undefined;
  }

  /**
   * Writes what is left; call it before the attempt is settled, whose closing event comes after all others. While the
   * database is away it is sent again, for as long as the lease can hold: the end of an attempt waits for its log.
   */
  async close(): Promise<void> {
    this.seal();
    await this.#untilWritten();
    while (this.#sending || this.#waiting.length > 0) await this.#sendLeft();
  }

  async #untilWritten(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #sendLeft(): Promise<void> {
    try {
      await this.#send();
    } catch (error) {
      this.#miss(error);
      // Nothing more is worth sending.
      this.#sending = undefined;
      this.#waiting = [];
    }
  }

  /** What cannot be stored must not keep the rest from being written. */
  #keep(data: unknown): unknown {
    try {
      const kept = storable(data);
      const bytes = byteLengthOf(kept);
      if (bytes <= MAX_EVENT_BYTES) return kept;
      this.#options.log.warn({ bytes }, "an event's data is too large: a note is written in its place");
      return { note: `The data had ${bytes} bytes as JSON: the most is ${MAX_EVENT_BYTES}` };
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
      this.#writing = writing.then(() => this.#goOn());
    }, delayMs);
  }

  #goOn(): void {
    this.#writing = undefined;
    if (!this.#closed && (this.#sending || this.#waiting.length > 0)) this.#schedule();
  }

  async #send(): Promise<void> {
    const { db, job, persist } = this.#options;
    await persist(async () => {
      const append = this.#next();
      faultPoint("before events");
      await db.call(async (sql) => appendEvents(sql, job, append));
      this.#written(append);
    });
  }

  /** What is to be written now: a batch that may have been written again as it was, for the log's number tells whether it had been. */
  #next(): Append {
    this.#sending ??= {
      events: this.#waiting.splice(0),
      progress: this.#progress,
      usage: this.#usage,
      after: this.#after,
    };
    this.#wroteAt = performance.now();
    return this.#sending;
  }

  #written({ events, after }: Append): void {
    this.#after = after + events.length;
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
