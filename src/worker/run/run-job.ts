import { DatabaseUnavailableError, LeaseLostError, together } from "#queue";
import type { Claim, Database } from "#queue";
import { complete } from "#queue/settle";
import type { Ending } from "#queue/settle";
import { faultPoint } from "#fault";
import { MAX_RESULT_BYTES } from "#shared/limits";
import { refuse } from "../claim/refuse.ts";
import type { RunResult } from "../define-job.ts";
import { JobTimeoutError, PermanentError } from "../errors.ts";
import type { AttemptRun } from "./attempt-run.ts";
import { describeError } from "./describe-error.ts";
import { outcomeOf } from "./outcome-of.ts";
import type { AttemptEnd } from "./outcome-of.ts";
import { byteLengthOf, storable } from "./storable.ts";
import { followAttempt } from "./trace-attempt.ts";

/** The interval at which an overdue run is checked again while the database is away, in milliseconds. */
const AWAY_LOOK_MS = 1_000;
const COMPLETED: AttemptEnd = { outcome: "completed" };
const CANCELLED: AttemptEnd = { outcome: "cancelled" };

/** Runs one attempt to its end and writes that end. Never rejects. */
export function runJob(run: AttemptRun): Promise<AttemptEnd> {
  return run.span ? followAttempt(run.span, () => runAttempt(run)) : runAttempt(run);
}

async function runAttempt(run: AttemptRun): Promise<AttemptEnd> {
  let writeEnd: () => Promise<AttemptEnd>;
  try {
    const result = await execute(run);
    writeEnd = () => settleResult(run, result);
  } catch (error) {
    writeEnd = () => settleError(run, error);
  }
  run.seal();
  run.environment.onRan();
  try {
    return await writeEnd();
  } catch (error) {
    const isHopeless =
      error instanceof LeaseLostError || (error instanceof DatabaseUnavailableError && error.isAbsence);
    // The completion was rolled back as a whole, so the attempt can still end as failed.
    return isHopeless ? giveUp(run, error) : endAttempt(run, error);
  }
}

/** Ends an attempt with an error. Its handler may have run in a child process or not at all. Never rejects. */
export async function endAttempt(run: AttemptRun, error: unknown): Promise<AttemptEnd> {
  try {
    return await settleError(run, error);
  } catch (failure) {
    return giveUp(run, failure);
  }
}

/** Ends an attempt that cannot write its end. Another attempt or the reaper then decides about the job. */
function giveUp(run: AttemptRun, error: unknown): AttemptEnd {
  if (error instanceof LeaseLostError) {
    const { level, line, name } = outcomeOf(error);
    run.log[level](line);
    return { outcome: name, error };
  }
  run.log.error({ err: describeError(error) }, "the attempt could not be settled; its lease will expire");
  return { outcome: "unsettled", error };
}

async function execute(run: AttemptRun): Promise<RunResult> {
  const { job, environment, timeoutMs } = run;
  const handler = environment.handlers.get(job.jobType);
  if (!handler) throw await refuse(job, environment);
  const expire = () => {
    // An outage of the database does not use up the job's time.
    if (run.isRetrying) timer = setTimeout(expire, AWAY_LOOK_MS);
    else run.abort(new JobTimeoutError(timeoutMs));
  };
  let timer = setTimeout(expire, timeoutMs);
  try {
    if (job.budget !== null) await run.persist(() => run.usage.readEarlier());
    faultPoint("before running");
    if (run.stopReason) throw run.stopReason;
    return checkResult(await run.race(handler.run(run)));
  } catch (error) {
    // A stopped handler may throw any error: the stop's reason counts.
    throw run.stopReason ?? error;
  } finally {
    clearTimeout(timer);
  }
}

/** @throws PermanentError when the result cannot be stored: it would fail the completions of its batch. */
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

async function settleResult(run: AttemptRun, { result, effects }: RunResult): Promise<AttemptEnd> {
  const { job, eventWriter: events } = run;
  const { db, completer, log } = run.environment;
  if (effects === undefined) {
    if (events) await events.close();
    await run.persistAfterStop(() => completer.complete({ claim: job, result: result ?? null }));
  } else {
    const last = await events?.takeRest();
    const ending = { result, last };
    await run.persistAfterStop(() => completeWithEffects(db, job, { ending, effects }));
    events?.confirmRest();
  }
  faultPoint("completed");
  if (log.isLevelEnabled("info")) run.log.info("job completed");
  return COMPLETED;
}

/**
 * Completes a job and writes its effects in one transaction. To save a round trip, it sends the effects before the server
 * has confirmed the lease. A lost lease rolls them back.
 * @throws LeaseLostError when the attempt no longer owns the job, or the error of the effects: nothing was written.
 */
export async function completeWithEffects(
  db: Database,
  claim: Claim,
  { ending, effects }: { ending: Ending; effects: NonNullable<RunResult["effects"]> },
): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      faultPoint("before completing");
      const [isEnded] = await together([complete(tx, claim, ending), effects(tx, claim)]);
      if (!isEnded) throw new Error("an earlier call has written the effects");
      faultPoint("before the completion commits");
    });
  } catch (error) {
    if (error instanceof DatabaseUnavailableError) throw error;
    // Sent one by one, the statements show which of them failed, or that an earlier call has committed.
    await db.transaction(async (tx) => {
      if (await complete(tx, claim, ending)) await effects(tx, claim);
    });
  }
}

async function settleError(run: AttemptRun, error: unknown): Promise<AttemptEnd> {
  const outcome = outcomeOf(error);
  await run.eventWriter?.close();
  const { settle: write } = outcome;
  if (!write) throw error;
  if (outcome.before) faultPoint(outcome.before);
  const status = await run.persistAfterStop(() => run.environment.db.transaction((tx) => write(tx, run, error)));
  if (outcome.after) faultPoint(outcome.after);
  // A failed handler may have left work running: the abort stops it.
  if (outcome.isFailure) run.abort(error instanceof Error ? error : new Error(describeError(error).message));
  const line = status === "queued" ? (outcome.retryLine ?? outcome.line) : outcome.line;
  run.log[outcome.level]({ status, ...outcome.fields?.(error) }, status === "cancelled" ? "job cancelled" : line);
  if (status === "cancelled") return CANCELLED;
  return outcome.isFailure
    ? { outcome: outcome.name, error, willRetry: status === "queued" }
    : { outcome: outcome.name };
}
