import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { faultPoint } from "#fault";
import { complete, DatabaseUnavailableError, fail, LeaseLostError, park, release, settleCancelled } from "#queue";
import type { ClaimedJob, Database, RetryPolicy, Tx } from "#queue";
import { wrapHandler } from "./define-job.ts";
import type { JobHandler, Middleware, RunContext, RunResult } from "./define-job.ts";
import { describeError } from "./describe-error.ts";
import {
  CancelledError,
  JobTimeoutError,
  PermanentError,
  RetryAfterError,
  ShutdownError,
  SnoozeError,
  WaitError,
} from "./errors.ts";
import { EventWriter } from "./event-writer.ts";
import type { Finisher } from "./finisher.ts";
import { Purse } from "./purse.ts";
import type { RunStop } from "./run-stop.ts";
import { storable } from "./storable.ts";

export interface RunOptions {
  db: Database;
  /** The log that carries the job, made when it is first asked for. */
  log: () => Logger;
  /** Whether what goes well is logged. */
  logs: boolean;
  handlers: ReadonlyMap<string, JobHandler>;
  middleware?: readonly Middleware[];
  finisher: Finisher;
  retry: RetryPolicy;
  defaultTimeoutMs: number;
  leaseMs: number;
  /** Aborted with LeaseLostError, CancelledError or ShutdownError as the reason. */
  stop: RunStop;
  /** Aborted when the worker wants to leave. */
  drain: AbortSignal;
}

/** Runs one claimed job to the end of this attempt: completed, failed, released, or left alone because its lease was lost. */
export async function runJob(job: ClaimedJob, options: RunOptions): Promise<void> {
  const { log } = options;
  try {
    const outcome = await execute(job, options).then(
      (result): Outcome => ({ result }),
      (error: unknown): Outcome => ({ error }),
    );
    await settle(job, outcome, options);
  } catch (error) {
    if (error instanceof LeaseLostError) log().warn("lease lost: nothing was written for this attempt");
    else log().error({ err: describeError(error) }, "the attempt could not be settled; its lease will expire");
  }
}

type Outcome = { result: RunResult } | { error: unknown };

/** The longest a run of the job may take, in milliseconds: its own, its type's or the worker's timeout. */
export function timeoutOf(
  job: ClaimedJob,
  { handlers, defaultTimeoutMs }: Pick<RunOptions, "handlers" | "defaultTimeoutMs">,
): number {
  return job.timeoutMs ?? handlers.get(job.jobType)?.timeoutMs ?? defaultTimeoutMs;
}

async function execute(job: ClaimedJob, options: RunOptions): Promise<RunResult> {
  const { log, handlers, middleware = [], stop } = options;
  const handler = handlers.get(job.jobType);
  if (!handler) {
    const known = [...handlers.keys()].join(", ");
    throw new PermanentError(`Unknown job type ${JSON.stringify(job.jobType)}: this worker runs ${known}`);
  }
  const timeoutMs = timeoutOf(job, options);
  const timer = setTimeout(() => stop.abort(new JobTimeoutError(timeoutMs)), timeoutMs);
  const teller = new Teller(job, options);
  const context: RunContext<unknown> = {
    job,
    payload: job.payload,
    get signal() {
      return stop.signal;
    },
    drain: options.drain,
    get log() {
      return log();
    },
    progress: (step, detail) => teller.events.report({ step, ...(detail !== undefined && { detail }) }),
    emit: (type, data) => teller.events.add(type, data),
    spend: (usage) => teller.purse.spend(usage),
  };
  try {
    if (job.budget !== null) await teller.purse.open();
    faultPoint("before running");
    if (stop.reason) throw stop.reason;
    return checkResult(await stop.race(wrapHandler(handler, middleware)(context)));
  } catch (error) {
    // A run that is told to stop may throw anything; why it was told is what counts.
    throw stop.reason ?? error;
  } finally {
    clearTimeout(timer);
    await teller.close();
  }
}

/** @throws PermanentError when the result cannot be kept: found before it could spoil the write of others. */
function checkResult(run: RunResult): RunResult {
  if (run.result === undefined) return run;
  try {
    return { ...run, result: storable(run.result) };
  } catch (error) {
    throw new PermanentError(`The result is no JSON value: ${describeError(error).message}`, { cause: error });
  }
}

/** What a run tells of itself; made only once it does. */
class Teller {
  readonly #job: ClaimedJob;
  readonly #options: RunOptions;
  #events: EventWriter | undefined;
  #purse: Purse | undefined;
  #closed = false;

  constructor(job: ClaimedJob, options: RunOptions) {
    this.#job = job;
    this.#options = options;
  }

  get events(): EventWriter {
    if (!this.#events) {
      const { db, log, stop } = this.#options;
      this.#events = new EventWriter({ db, job: this.#job, log: log(), onLost: (error) => stop.abort(error) });
      if (this.#closed) void this.#events.close();
    }
    return this.#events;
  }

  get purse(): Purse {
    const { db, stop } = this.#options;
    this.#purse ??= new Purse({ db, job: this.#job, events: this.events, onExceeded: (error) => stop.abort(error) });
    return this.#purse;
  }

  /** Writes what is left to tell; what a handler that goes on tells after this is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#events?.close();
  }
}

async function settle(job: ClaimedJob, outcome: Outcome, options: RunOptions): Promise<void> {
  const { db, log, leaseMs } = options;
  const write = async <T>(work: () => Promise<T>) => persist(work, leaseMs);
  if ("error" in outcome) return settleError(job, outcome.error, options);
  const { result, effects } = outcome.result;
  if (effects === undefined) {
    await write(async () => options.finisher.finish({ claim: job, result: result ?? null }));
  } else {
    try {
      await write(async () =>
        db.transaction(async (tx) => {
          faultPoint("before completing");
          if (await complete(tx, job, result)) await effects(tx, job);
          faultPoint("before the completion commits");
        }),
      );
    } catch (error) {
      if (error instanceof LeaseLostError || error instanceof DatabaseUnavailableError) throw error;
      // The effects could not be written, so nothing was: that is a failed attempt as any other.
      return settleError(job, error, options);
    }
  }
  faultPoint("completed");
  if (options.logs) log().info("job completed");
  return undefined;
}

async function settleError(
  job: ClaimedJob,
  error: unknown,
  { db, log, retry, handlers, leaseMs, stop }: RunOptions,
): Promise<void> {
  const write = async <T>(work: (tx: Tx) => Promise<T>) => persist(async () => db.transaction(work), leaseMs);
  if (error instanceof LeaseLostError) throw error;
  if (error instanceof ShutdownError) {
    await write((tx) => release(tx, job, { reason: "The worker was shutting down" }));
    return log().info("job released");
  }
  if (error instanceof SnoozeError) {
    await write((tx) => release(tx, job, { delayMs: error.delayMs, reason: error.message }));
    return log().info({ delayMs: error.delayMs }, "job snoozed");
  }
  if (error instanceof CancelledError) {
    await write((tx) => settleCancelled(tx, job));
    return log().info("job cancelled");
  }
  if (error instanceof WaitError) {
    const status = await write((tx) => park(tx, job, error.questions));
    faultPoint("parked");
    return log().info({ status, questions: error.questions.length }, "job waits for a person");
  }
  const described = describeError(error);
  faultPoint("before failing");
  const status = await write((tx) =>
    fail(tx, job, {
      error: described,
      retry: { ...retry, ...handlers.get(job.jobType)?.retry },
      permanent: error instanceof PermanentError,
      delayMs: error instanceof RetryAfterError ? error.delayMs : undefined,
      outcome: error instanceof JobTimeoutError ? "timed_out" : "failed",
    }),
  );
  faultPoint("failed");
  // What the handler left running stops as well.
  stop.abort(error instanceof Error ? error : new Error(described.message));
  const said = { queued: "job failed and will be retried", failed: "job failed for good", cancelled: "job cancelled" }[
    status
  ];
  return log().warn({ err: described }, said);
}

const RESEND_MS = 500;

/** Sends a settling write until the database takes it or the lease cannot hold any longer; sending again is safe, for the fence lets it in once. */
async function persist<T>(work: () => Promise<T>, leaseMs: number): Promise<T> {
  const lastTry = performance.now() + leaseMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError) || performance.now() > lastTry) throw error;
      await wait(RESEND_MS);
    }
  }
}
