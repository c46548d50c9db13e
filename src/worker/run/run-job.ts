import { DatabaseUnavailableError, LeaseLostError } from "#queue";
import type { ClaimedJob, Database, Tx } from "#queue";
import { fail, park, release, settleCancelled } from "#queue/settle";
import type { RetryPolicy } from "#queue/settle";
import type { Logger } from "pino";
import { faultPoint } from "#fault";
import { MAX_RESULT_BYTES } from "#shared/limits";
import type { JobHandler, RunResult } from "../define-job.ts";
import { describeError } from "./describe-error.ts";
import {
  CancelledError,
  JobTimeoutError,
  PermanentError,
  ProcessDiedError,
  RetryAfterError,
  ShutdownError,
  SnoozeError,
  WaitError,
} from "../errors.ts";
import type { Completer } from "../claim/completer.ts";
import { JobContext } from "./job-context.ts";
import { persistFor } from "./persist.ts";
import { putBackDelayMs, refuse } from "../claim/refuse.ts";
import type { RunStop } from "./run-stop.ts";
import { byteLengthOf, storable } from "./storable.ts";
import { Teller } from "./teller.ts";
import { writeEffects } from "./write-effects.ts";

/** What all runs of a worker have in common. */
export interface RunEnvironment {
  db: Database;
  /** Whether what goes well is logged. */
  logs: boolean;
  /** By job type, with their middleware around them. */
  handlers: ReadonlyMap<string, JobHandler>;
  completer: Completer;
  retry: RetryPolicy;
  defaultTimeoutMs: number;
  leaseMs: number;
  /** Aborted when the worker wants to leave. */
  drain: AbortSignal;
  /** Aborted when its grace period is over. */
  leaving: AbortSignal;
}

export interface Run {
  job: ClaimedJob;
  /** How many of its calls are being sent again because the database is away. */
  resendingCount: number;
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
  outcome:
    | "completed"
    | "failed"
    | "timed_out"
    | "crashed"
    | "released"
    | "cancelled"
    | "waiting"
    | "lease_lost"
    | "unsettled";
  /** What was thrown, where that was a failure. */
  error?: unknown;
  willRetry?: boolean;
}

/** How often a run whose time is up, while the database is away, is looked at again, in milliseconds. */
const AWAY_LOOK_MS = 1_000;
const COMPLETED: AttemptEnd = { outcome: "completed" };
const RELEASED: AttemptEnd = { outcome: "released" };
const CANCELLED: AttemptEnd = { outcome: "cancelled" };
const WAITING: AttemptEnd = { outcome: "waiting" };

/** Runs one claimed job to the end of this attempt: completed, failed, released, or left alone because its lease was lost. */
export function runJob(run: Run, environment: RunEnvironment): Promise<AttemptEnd> {
  const teller = new Teller(run, environment);
  return endOrLeave(run, async () => {
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
      if (error instanceof LeaseLostError || (error instanceof DatabaseUnavailableError && error.isAbsence))
        throw error;
      // How the run ended could not be written, so nothing was: that is a failed attempt as any other.
      return settleError(run, error, { environment, teller });
    }
  });
}

/** Ends an attempt that did not run here, for the reason that the error gives. */
export function endAttempt(run: Run, error: Error, environment: RunEnvironment): Promise<AttemptEnd> {
  const teller = new Teller(run, environment);
  return endOrLeave(run, () => settleError(run, error, { environment, teller }));
}

async function endOrLeave(run: Run, work: () => Promise<AttemptEnd>): Promise<AttemptEnd> {
  try {
    return await work();
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
  const { job, stop } = run;
  const handler = environment.handlers.get(job.jobType);
  if (!handler) throw await refuse(job, environment);
  const timeoutMs = timeoutOf(job, environment);
  const expire = () => {
    // The time in which the database is away is not the job's.
    if (run.resendingCount > 0) timer = setTimeout(expire, AWAY_LOOK_MS);
    else stop.abort(new JobTimeoutError(timeoutMs));
  };
  let timer = setTimeout(expire, timeoutMs);
  const context = new JobContext(run, environment, teller);
  try {
    if (job.budget !== null) await context.persist(() => teller.purse.open());
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
  let result: unknown;
  try {
    result = storable(run.result);
  } catch (error) {
    throw new PermanentError(`The result is no JSON value: ${describeError(error).message}`, { cause: error });
  }
  const bytes = byteLengthOf(result);
  if (bytes > MAX_RESULT_BYTES)
    throw new PermanentError(`The result has ${bytes} bytes as JSON: at most ${MAX_RESULT_BYTES} are kept`);
  return { ...run, result };
}

interface Settling {
  environment: RunEnvironment;
  /** Sealed: what it has left to tell is written before the closing event. */
  teller: Teller;
}

async function settle(
  run: Run,
  { result, effects }: RunResult,
  { environment, teller }: Settling,
): Promise<AttemptEnd> {
  const { job, log } = run;
  const { db, completer, logs } = environment;
  const persist = persistFor(run, environment);
  if (effects === undefined) {
    if (teller.hasTold) await teller.close();
    await persist(() => completer.complete({ claim: job, result: result ?? null }));
  } else {
    const last = await teller.rest();
    const ending = { result, last };
    await persist(() => writeEffects(db, job, { ending, effects }));
    teller.forget();
  }
  faultPoint("completed");
  if (logs) log().info("job completed");
  return COMPLETED;
}

async function settleError(run: Run, error: unknown, { environment, teller }: Settling): Promise<AttemptEnd> {
  await teller.close();
  const { job, log, stop } = run;
  const { db, retry, handlers } = environment;
  const persist = persistFor(run, environment);
  const write = <T>(work: (tx: Tx) => Promise<T>) => persist(() => db.transaction(work));
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
  // An absent database puts the job back. What it refuses although it is there, such as a slow query, uses a retry.
  if (error instanceof DatabaseUnavailableError && error.isAbsence) {
    const reason = `The database was away: ${describeError(error).message}`;
    const status = await write((tx) => release(tx, job, { delayMs: putBackDelayMs(job), reason }));
    log().warn({ status, err: describeError(error) }, "job released: the database was away");
    return status === "cancelled" ? CANCELLED : RELEASED;
  }
  const described = describeError(error);
  const outcome = outcomeOf(error);
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

function outcomeOf(error: unknown): "failed" | "timed_out" | "crashed" {
  if (error instanceof ProcessDiedError) return "crashed";
  return error instanceof JobTimeoutError ? "timed_out" : "failed";
}
