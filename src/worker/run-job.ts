import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { complete, DatabaseUnavailableError, fail, LeaseLostError, release, reportProgress } from "#queue";
import type { ClaimedJob, Database, RetryPolicy, Tx } from "#queue";
import type { JobHandler, RunResult } from "./define-job.ts";
import { describeError } from "./describe-error.ts";
import { JobTimeoutError, PermanentError, ShutdownError } from "./errors.ts";

export interface RunOptions {
  db: Database;
  log: Logger;
  handlers: ReadonlyMap<string, JobHandler>;
  retry: RetryPolicy;
  defaultTimeoutMs: number;
  leaseMs: number;
  /** Aborted with LeaseLostError or ShutdownError as the reason. */
  stop: AbortController;
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
    if (error instanceof LeaseLostError) log.warn("lease lost: nothing was written for this attempt");
    else log.error({ err: describeError(error) }, "the attempt could not be settled; its lease will expire");
  }
}

type Outcome = { result: RunResult } | { error: unknown };

async function execute(job: ClaimedJob, { db, log, handlers, defaultTimeoutMs, stop }: RunOptions): Promise<RunResult> {
  const handler = handlers.get(job.jobType);
  if (!handler) {
    const known = [...handlers.keys()].join(", ");
    throw new PermanentError(`Unknown job type ${JSON.stringify(job.jobType)}: this worker runs ${known}`);
  }
  const timeoutMs = job.timeoutMs ?? handler.timeoutMs ?? defaultTimeoutMs;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new JobTimeoutError(timeoutMs)), timeoutMs);
  const signal = AbortSignal.any([stop.signal, timeout.signal]);
  const progress = async (step: string) => db.call((sql) => reportProgress(sql, job, { step }));
  try {
    signal.throwIfAborted();
    return await Promise.race([handler.run({ job, payload: job.payload, signal, log, progress }), aborted(signal)]);
  } catch (error) {
    // A run that is told to stop may throw anything; why it was told is what counts.
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

/** Never resolves; rejects with the signal's reason, so that a handler which ignores its signal does not hold the slot. */
async function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

async function settle(job: ClaimedJob, outcome: Outcome, { db, log, retry, leaseMs, stop }: RunOptions): Promise<void> {
  const write = async <T>(work: (tx: Tx) => Promise<T>) => persist(db, work, leaseMs);
  if ("result" in outcome) {
    const { result, effects } = outcome.result;
    await write(async (tx) => {
      await complete(tx, job, result);
      await effects?.(tx, job);
    });
    log.info("job completed");
    return;
  }
  const { error } = outcome;
  if (error instanceof LeaseLostError) throw error;
  if (error instanceof ShutdownError) {
    await write((tx) => release(tx, job));
    log.info("job released");
    return;
  }
  const described = describeError(error);
  const status = await write((tx) =>
    fail(tx, job, {
      error: described,
      retry,
      permanent: error instanceof PermanentError,
      outcome: error instanceof JobTimeoutError ? "timed_out" : "failed",
    }),
  );
  stop.abort(error);
  log.warn({ err: described }, status === "failed" ? "job failed for good" : "job failed and will be retried");
}

const RESEND_MS = 500;

/** Sends a settling transaction until the database takes it or the lease cannot hold any longer; sending again is safe, for the fence lets it in once. */
async function persist<T>(db: Database, work: (tx: Tx) => Promise<T>, leaseMs: number): Promise<T> {
  const lastTry = performance.now() + leaseMs;
  for (;;) {
    try {
      return await db.transaction(work);
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError) || performance.now() > lastTry) throw error;
      await wait(RESEND_MS);
    }
  }
}
