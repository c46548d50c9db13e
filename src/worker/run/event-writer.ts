import { LeaseLostError } from "#queue";
import type { ClaimedJob, Database } from "#queue";
import { appendEvents, appendParts, notifyEvents } from "#queue/events";
import type { Append, NewEvent } from "#queue/events";
import type { Logger } from "pino";
import { faultPoint } from "#fault";
import type { Piggyback } from "#checkpoint";
import { MAX_EVENT_BYTES } from "#shared/limits";
import type { Usage } from "#shared/usage";
import { describeError } from "./describe-error.ts";
import type { Persist } from "../define-job.ts";
import { byteLengthOf, storable } from "./storable.ts";

/** The shortest time between two writes: faster events share one. */
const SPACING_MS = 40;
/** The longest text of merged tokens, in characters, well below `MAX_EVENT_BYTES`. */
const MAX_TOKEN_CHARS = 32_000;
/** The longest name of a step whose data is too large, in characters. */
const MAX_STEP_CHARS = 200;

interface EventWriterOptions {
  db: Database;
  job: ClaimedJob;
  log: Logger;
  persist: Persist;
  /** Called when a write finds that the attempt no longer owns its job. */
  onLost: (error: LeaseLostError) => void;
}

/**
 * Writes a run's events to its job's log, in order and fenced. Events within 40 ms share a write, and consecutive tokens
 * become one event. The first write begins with `started`, at which readers drop the unfinished text of earlier attempts.
 * The next write retries a failed one. After the lease is lost, nothing is written.
 */
export class EventWriter {
  readonly #options: EventWriterOptions;
  #waiting: NewEvent[] = [];
  /** The batch in flight, or a failed batch to send again unchanged. */
  #sending: Append | undefined;
  #progress: Append["progress"];
  #usage: Usage | undefined;
  #after: number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #wroteAt = -Infinity;
  /** True once the lease is lost or the run is over: later events are dropped. */
  #isClosed = false;

  constructor(options: EventWriterOptions) {
    this.#options = options;
    this.#after = options.job.eventSeq;
  }

  /** Adds an event. Data that is no JSON value becomes null, and a note replaces data that is too large. */
  add(type: string, given: unknown): void {
    if (this.#isClosed) return;
    const data = this.#toStorable(given);
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

  /** Shows a step on the job, and adds it to the log. */
  report(progress: NonNullable<Append["progress"]>): void {
    const kept = storable(progress);
    this.#progress = byteLengthOf(kept) <= MAX_EVENT_BYTES ? kept : { step: kept.step.slice(0, MAX_STEP_CHARS) };
    this.add("progress", progress);
  }

  /** Shows the attempt's use of models so far on the job. */
  showUsage(usage: Usage): void {
    this.#usage = usage;
    this.add("usage", usage);
  }

  /**
   * Hands the waiting events to another statement of the run. Undefined when no events wait, while a batch is in flight, and
   * after the run's end.
   */
  piggyback(): Piggyback | undefined {
    if (this.#isClosed || this.#writing || (!this.#sending && this.#waiting.length === 0)) return undefined;
    this.#unschedule();
    const { db, job } = this.#options;
    const append = this.#next();
    let end = (): void => undefined;
    this.#writing = new Promise((resolve) => {
      end = resolve;
    });
    faultPoint("before events");
    return {
      parts: (sql) => appendParts(sql, job, append),
      settle: (isWritten) => {
        if (isWritten) {
          this.#written(append);
          void notifyEvents(db.sql, job.jobId);
        }
        this.#afterWrite();
        end();
      },
    };
  }

  /** Drops all later events: a handler may still run after it was stopped. */
  seal(): void {
    this.#isClosed = true;
    this.#unschedule();
  }

  /**
   * The last events of a sealed writer, for the transaction that completes the job; undefined when there are none. Call
   * `confirmRest` after its commit, and `close` after its rollback.
   */
  async takeRest(): Promise<Append | undefined> {
    await this.#untilWritten();
    // The log may contain this batch already: only a separate statement finds out.
    if (this.#sending) await this.#sendRest();
    return this.#waiting.length > 0 ? this.#next() : undefined;
  }

  /** The transaction with the events of `takeRest` has committed. */
  confirmRest(): void {
    this.#sending = undefined;
  }

  /**
   * Seals the writer and writes the last events. Call it before the closing event. Retries while the database is away and
   * the lease can hold.
   */
  async close(): Promise<void> {
    this.seal();
    await this.#untilWritten();
    while (this.#sending || this.#waiting.length > 0) await this.#sendRest();
  }

  async #untilWritten(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #sendRest(): Promise<void> {
    try {
      await this.#send();
    } catch (error) {
      this.#onFailure(error);
      // `persist` has given up: no later write can succeed.
      this.#sending = undefined;
      this.#waiting = [];
    }
  }

  /** One event that cannot be stored must not block the others. */
  #toStorable(data: unknown): unknown {
    try {
      const kept = storable(data);
      const bytes = byteLengthOf(kept);
      if (bytes <= MAX_EVENT_BYTES) return kept;
      this.#options.log.warn({ bytes }, "an event's data is too large: a note replaces it");
      return { note: `The data had ${bytes} bytes as JSON: the most is ${MAX_EVENT_BYTES}` };
    } catch (error) {
      this.#options.log.warn({ err: describeError(error) }, "an event's data is no JSON value: null replaces it");
      return null;
    }
  }

  #schedule(): void {
    if (this.#timer || this.#writing) return;
    const delayMs = Math.max(0, this.#wroteAt + SPACING_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const writing = this.#send().catch((error: unknown) => this.#onFailure(error));
      this.#writing = writing.then(() => this.#afterWrite());
    }, delayMs);
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #afterWrite(): void {
    this.#writing = undefined;
    if (!this.#isClosed && (this.#sending || this.#waiting.length > 0)) this.#schedule();
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

  /** The batch to write now. A failed batch is sent again unchanged: the log's last number shows whether it was written. */
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

  /** Keeps a failed batch for the next write; drops all events when the lease is lost. */
  #onFailure(error: unknown): void {
    const { log, onLost } = this.#options;
    if (error instanceof LeaseLostError) {
      this.#isClosed = true;
      this.#sending = undefined;
      this.#waiting = [];
      onLost(error);
    } else {
      log.debug({ err: describeError(error) }, "events were not written; the next write retries them");
    }
  }
}

function isToken(data: unknown): data is { text: string; step?: unknown; message?: unknown } {
  return typeof data === "object" && data !== null && "text" in data && typeof data.text === "string";
}
