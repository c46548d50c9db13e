import { DatabaseUnavailableError, LeaseLostError } from "#queue";
import type { ClaimedJob } from "#queue";
import { heartbeat } from "#queue/fleet";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import type { Usage } from "#shared/usage";
import type { Span } from "#tracing";
import type { Completer } from "../claim/completer.ts";
import type { JobHandler, Persist, RunContext } from "../define-job.ts";
import type { WorkerOptions } from "../worker-options.ts";
import { EventWriter } from "./event-writer.ts";
import { UsageMeter } from "./usage-meter.ts";

/** The parts of a worker that all its attempts share. */
export interface RunEnvironment extends Pick<WorkerOptions, "db" | "log" | "retry" | "defaultTimeoutMs" | "leaseMs"> {
  /** By job type, each wrapped in the middleware. */
  handlers: ReadonlyMap<string, JobHandler>;
  completer: Completer;
  /** Aborted when the worker starts to shut down. */
  drain: AbortSignal;
  /** Aborted when the worker's grace period is over. */
  leaving: AbortSignal;
  /** Called when a handler has ended and the end of its attempt is still to be written. */
  onRan: () => void;
}

/** The longest pause between two tries of a database call, in milliseconds. */
const RETRY_MS = 500;
const NOT_STARTED = Promise.resolve();

/**
 * One attempt, from its claim until its end is written. The handler gets it as its `RunContext`. Its parts are created on
 * first use: most small jobs need none, and thousands of ended attempts can wait for their completion at once
 * (`npm run bench -- --only throughput`).
 */
export class AttemptRun implements RunContext<unknown> {
  readonly job: ClaimedJob;
  /** As claimed; the job type replaces it with the parsed payload. */
  payload: unknown;
  readonly drain: AbortSignal;
  readonly environment: RunEnvironment;
  /** Undefined without tracing. */
  readonly span: Span | undefined;
  /** Resolves when the attempt's end is written. */
  ended: Promise<void> = NOT_STARTED;
  /** The number of database calls that are being retried. */
  #retryingCount = 0;
  #stopReason: Error | undefined;
  #controller: AbortController | undefined;
  #rejectRace: ((reason: Error) => void) | undefined;
  #log: Logger | undefined;
  #events: EventWriter | undefined;
  #usage: UsageMeter | undefined;
  #isSealed = false;

  constructor(job: ClaimedJob, environment: RunEnvironment, span?: Span) {
    this.job = job;
    this.payload = job.payload;
    this.drain = environment.drain;
    this.environment = environment;
    this.span = span;
  }

  /** The longest time that the handler may take, in milliseconds: the job's, the job type's or the worker's timeout. */
  get timeoutMs(): number {
    const { handlers, defaultTimeoutMs } = this.environment;
    return this.job.timeoutMs ?? handlers.get(this.job.jobType)?.timeoutMs ?? defaultTimeoutMs;
  }

  /** Undefined while the run may go on. */
  get stopReason(): Error | undefined {
    return this.#stopReason;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#stopReason) this.#controller.abort(this.#stopReason);
    }
    return this.#controller.signal;
  }

  /** Stops the run; the first reason counts. */
  abort(reason: Error): void {
    if (this.#stopReason) return;
    this.#stopReason = reason;
    this.#controller?.abort(reason);
    this.#rejectRace?.(reason);
  }

  /** Settles as `work` does, but rejects as soon as the run is stopped: `work` may ignore the signal. */
  race<T>(work: Promise<T>): Promise<T> {
    if (this.#stopReason) {
      work.catch(() => undefined);
      return Promise.reject(this.#stopReason);
    }
    return new Promise<T>((resolve, reject) => {
      this.#rejectRace = reject;
      work.then(resolve, reject);
    });
  }

  get log(): Logger {
    if (!this.#log) {
      const { jobId, threadId, attempt, jobType } = this.job;
      const trace = this.span && { traceId: this.span.traceId };
      this.#log = this.environment.log.child({ jobId, threadId, attempt, jobType, ...trace });
    }
    return this.#log;
  }

  /** Undefined while the run has had no event. */
  get eventWriter(): EventWriter | undefined {
    return this.#events;
  }

  get usage(): UsageMeter {
    const { job, environment } = this;
    const events = this.#openEvents();
    this.#usage ??= new UsageMeter({ db: environment.db, job, events, onExceeded: (error) => this.abort(error) });
    return this.#usage;
  }

  /** Drops the events of a handler that still runs after it was stopped. */
  seal(): void {
    this.#isSealed = true;
    this.#events?.seal();
  }

  get progress() {
    return (step: string, detail?: string): void =>
      this.#openEvents().report({ step, ...(detail !== undefined && { detail }) });
  }

  get emit() {
    return (type: string, data: unknown): void => this.#openEvents().add(type, data);
  }

  get spend() {
    return (usage: Usage): void => this.usage.add(usage);
  }

  get persist(): Persist {
    return (work) =>
      this.persistAfterStop(async () => {
        if (this.#stopReason) throw this.#stopReason;
        return work();
      });
  }

  /** True while a database call of the run is retried, because the database is away. */
  get isRetrying(): boolean {
    return this.#retryingCount > 0;
  }

  /**
   * Calls `work`, even after a stop, and again while the database is away. The fence makes a repeated write safe. If the
   * lease has expired, as after an outage, it is renewed first, unless a reaper took the job. An error of a database that
   * answers, such as a query timeout, is retried for one lease.
   * @throws LeaseLostError when the attempt no longer owns its job; DatabaseUnavailableError when retries are used up.
   */
  persistAfterStop<T>(work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    return work().catch((error: unknown) => this.#retry(work, error, startedAt));
  }

  async #retry<T>(work: () => Promise<T>, failure: unknown, startedAt: number): Promise<T> {
    let error = failure;
    let isRenewed = false;
    this.#retryingCount += 1;
    try {
      for (;;) {
        if (this.#stopReason instanceof LeaseLostError) throw this.#stopReason;
        if (error instanceof LeaseLostError && !isRenewed) isRenewed = await this.#renewLease();
        else if (error instanceof DatabaseUnavailableError && this.#isWorthRetry(error, startedAt)) {
          isRenewed = false;
          await wait(RETRY_MS * (0.5 + Math.random() / 2));
        } else throw error;
        if (error instanceof LeaseLostError && !isRenewed) throw error;
        try {
          return await work();
        } catch (again) {
          error = again;
        }
      }
    } finally {
      this.#retryingCount -= 1;
    }
  }

  /** Renews the lease as a heartbeat does. False when a reaper took the job; true also when the database does not answer. */
  async #renewLease(): Promise<boolean> {
    const { db, leaseMs } = this.environment;
    const renewed = await db.call((sql) => heartbeat(sql, [this.job], leaseMs)).catch(() => null);
    return renewed === null || renewed.kept.size > 0;
  }

  #isWorthRetry(error: DatabaseUnavailableError, startedAt: number): boolean {
    const { leaseMs, leaving } = this.environment;
    return performance.now() - startedAt <= leaseMs || (error.isAbsence && !leaving.aborted);
  }

  #openEvents(): EventWriter {
    if (!this.#events) {
      this.#events = new EventWriter({
        db: this.environment.db,
        job: this.job,
        log: this.log,
        persist: (work) => this.persistAfterStop(work),
        onLost: (error) => this.abort(error),
      });
      if (this.#isSealed) this.#events.seal();
    }
    return this.#events;
  }
}
