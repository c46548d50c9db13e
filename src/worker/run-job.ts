import type { Logger } from "pino";
import type { Along } from "#checkpoint";
import { faultPoint } from "#fault";
import { complete, DatabaseUnavailableError, fail, LeaseLostError, park, release, settleCancelled } from "#queue";
import type { Append, ClaimedJob, Database, RetryPolicy, Tx } from "#queue";
import type { JobHandler, RunContext, RunResult } from "./define-job.ts";
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
import { persist } from "./persist.ts";
import { Purse } from "./purse.ts";
import type { RunStop } from "./run-stop.ts";
import { storable } from "./storable.ts";
import { refuse } from "./refuse.ts";

/** What all runs of a worker have in common. */
export interface RunEnvironment {
  db: Database;
  /** Whether what goes well is logged. */
  logs: boolean;
  /** By job type, with their middleware around them. */
  handlers: ReadonlyMap<string, JobHandler>;
  finisher: Finisher;
  retry: RetryPolicy;
  defaultTimeoutMs: number;
  leaseMs: number;
  /** Aborted when the worker wants to leave. */
  drain: AbortSignal;
}

export interface Run {
  job: ClaimedJob;
  /** Told to stop with LeaseLostError, CancelledError or ShutdownError as the reason. */
  stop: RunStop;
  /** The log that carries the job, made when it is first asked for. */
  log: () => Logger;
  /** Called when the handler has ended and only the writing of how is left. */
  onRan: () => void;
}

/** How an attempt ended. */
export interface AttemptEnd {
  /** As the job's history has it; `lease_lost` and `unsettled` where the attempt could write nothing. */
  outcome: "completed" | "failed" | "timed_out" | "released" | "cancelled" | "waiting" | "lease_lost" | "unsettled";
  /** What was thrown, where that was a failure. */
  error?: unknown;
  willRetry?: boolean;
}

const COMPLETED: AttemptEnd = { outcome: "completed" };
const RELEASED: AttemptEnd = { outcome: "released" };
const CANCELLED: AttemptEnd = { outcome: "cancelled" };
const WAITING: AttemptEnd = { outcome: "waiting" };

/** Runs one claimed job to the end of this attempt: completed, failed, released, or left alone because its lease was lost. */
export async function runJob(run: Run, environment: RunEnvironment): Promise<AttemptEnd> {
  const teller = new Teller(run, environment);
  try {
    let outcome: Outcome;
    try {
      outcome = { result: await execute(run, environment, teller) };
    } catch (error) {
      outcome = { error };
    }
    teller.seal();
    run.onRan();
    try {
      if ("result" in outcome) return await settle(run, outcome.result, { environment, teller });
      return await settleError(run, outcome.error, { environment, teller });
    } catch (error) {
      if (error instanceof LeaseLostError || error instanceof DatabaseUnavailableError) throw error;
      // How the run ended could not be written, so nothing was: that is a failed attempt as any other.
      return await settleError(run, error, { environment, teller });
    }
  } catch (error) {
    const lost = error instanceof LeaseLostError;
    if (lost) run.log().warn("lease lost: nothing was written for this attempt");
    else run.log().error({ err: describeError(error) }, "the attempt could not be settled; its lease will expire");
    return { outcome: lost ? "lease_lost" : "unsettled", error };
  }
}

type Outcome = { result: RunResult } | { error: unknown };

/** The longest a run of the job may take, in milliseconds: its own, its type's or the worker's timeout. */
export function timeoutOf(
  job: ClaimedJob,
  { handlers, defaultTimeoutMs }: Pick<RunEnvironment, "handlers" | "defaultTimeoutMs">,
): number {
  return job.timeoutMs ?? handlers.get(job.jobType)?.timeoutMs ?? defaultTimeoutMs;
}

async function execute(run: Run, environment: RunEnvironment, teller: Teller): Promise<RunResult> {
  const { job, stop, log } = run;
  const handler = environment.handlers.get(job.jobType);
  if (!handler) throw await refuse(job, environment);
  const timeoutMs = timeoutOf(job, environment);
  const timer = setTimeout(() => stop.abort(new JobTimeoutError(timeoutMs)), timeoutMs);
  const context: RunContext<unknown> = {
    job,
    payload: job.payload,
    get signal() {
      return stop.signal;
    },
    drain: environment.drain,
    get log() {
      return log();
    },
    progress: (step, detail) => teller.events.report({ step, ...(detail !== undefined && { detail }) }),
    emit: (type, data) => teller.events.add(type, data),
    spend: (usage) => teller.purse.spend(usage),
    takeAlong: () => teller.takeAlong(),
  };
  try {
    if (job.budget !== null) await teller.purse.open();
    faultPoint("before running");
    if (stop.reason) throw stop.reason;
    return checkResult(await stop.race(handler.run(context)));
  } catch (error) {
    // A run that is told to stop may throw anything; why it was told is what counts.
    throw stop.reason ?? error;
  } finally {
    clearTimeout(timer);
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
  readonly #run: Run;
  readonly #environment: RunEnvironment;
  #events: EventWriter | undefined;
  #purse: Purse | undefined;
  #closed = false;

  constructor(run: Run, environment: RunEnvironment) {
    this.#run = run;
    this.#environment = environment;
  }

  get events(): EventWriter {
    if (!this.#events) {
      const { job, log, stop } = this.#run;
      const { db, leaseMs } = this.#environment;
      this.#events = new EventWriter({ db, job, log: log(), leaseMs, onLost: (error) => stop.abort(error) });
      if (this.#closed) this.#events.seal();
    }
    return this.#events;
  }

  get purse(): Purse {
    const { job, stop } = this.#run;
    this.#purse ??= new Purse({
      db: this.#environment.db,
      job,
      events: this.events,
      onExceeded: (error) => stop.abort(error),
    });
    return this.#purse;
  }

  takeAlong(): Along | undefined {
    return this.#events?.takeAlong();
  }

  /** Drops what a handler that goes on tells after its end. */
  seal(): void {
    this.#closed = true;
    this.#events?.seal();
  }

  /** What is left to tell, for the transaction that completes the job; `forget` it once that has committed. */
  async rest(): Promise<Append | undefined> {
    return this.#events?.rest();
  }

  forget(): void {
    this.#events?.forget();
  }

  /** Writes what is left to tell. */
  async close(): Promise<void> {
    await this.#events?.close();
  }
}

interface Settling {
  environment: RunEnvironment;
  /** Sealed: what it has left to tell is written before the closing event. */
  teller: Teller;
}

async function settle(
  { job, log }: Run,
  { result, effects }: RunResult,
  { environment, teller }: Settling,
): Promise<AttemptEnd> {
  const { db, leaseMs, finisher, logs } = environment;
  if (effects === undefined) {
    await teller.close();
    await persist(async () => finisher.finish({ claim: job, result: result ?? null }), leaseMs);
  } else {
    const last = await teller.rest();
    await persist(
      async () =>
        db.transaction(async (tx) => {
          faultPoint("before completing");
          if (await complete(tx, job, { result, last })) await effects(tx, job);
          faultPoint("before the completion commits");
        }),
      leaseMs,
    );
    teller.forget();
  }
  faultPoint("completed");
  if (logs) log().info("job completed");
  return COMPLETED;
}

async function settleError(
  { job, log, stop }: Run,
  error: unknown,
  { environment, teller }: Settling,
): Promise<AttemptEnd> {
  await teller.close();
  const { db, retry, handlers, leaseMs } = environment;
  const write = async <T>(work: (tx: Tx) => Promise<T>) => persist(async () => db.transaction(work), leaseMs);
  if (error instanceof LeaseLostError) throw error;
  if (error instanceof ShutdownError) {
    const status = await write((tx) => release(tx, job, { reason: "The worker was shutting down" }));
    faultPoint("released");
    log().info({ status }, "job released");
    return status === "cancelled" ? CANCELLED : RELEASED;
  }
  if (error instanceof SnoozeError) {
    const status = await write((tx) => release(tx, job, { delayMs: error.delayMs, reason: error.message }));
    faultPoint("snoozed");
    log().info({ status, delayMs: error.delayMs, reason: error.message }, "job snoozed");
    return status === "cancelled" ? CANCELLED : RELEASED;
  }
  if (error instanceof CancelledError) {
    await write((tx) => settleCancelled(tx, job));
    faultPoint("cancelled");
    log().info("job cancelled");
    return CANCELLED;
  }
  if (error instanceof WaitError) {
    const status = await write((tx) => park(tx, job, error.questions));
    faultPoint("parked");
    log().info({ status, questions: error.questions.length }, "job waits for a person");
    return WAITING;
  }
  const described = describeError(error);
  const outcome = error instanceof JobTimeoutError ? "timed_out" : "failed";
  faultPoint("before failing");
  const status = await write((tx) =>
    fail(tx, job, {
      error: described,
      retry: { ...retry, ...handlers.get(job.jobType)?.retry },
      permanent: error instanceof PermanentError,
      delayMs: error instanceof RetryAfterError ? error.delayMs : undefined,
      outcome,
    }),
  );
  faultPoint("failed");
  // What the handler left running stops as well.
  stop.abort(error instanceof Error ? error : new Error(described.message));
  const said = { queued: "job failed and will be retried", failed: "job failed for good", cancelled: "job cancelled" }[
    status
  ];
  log().warn({ err: described }, said);
  return status === "cancelled" ? CANCELLED : { outcome, error, willRetry: status === "queued" };
}
