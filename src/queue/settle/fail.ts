import type { PendingQuery, Row } from "postgres";
import type { Tx } from "#db";
import type { AttemptOutcome } from "#shared/job-states";
import { MAX_DELAY_MS } from "../check-job.ts";
import type { Claim } from "../claimed-job.ts";
import { holdsLease } from "../fence.ts";
import { endAttempt, readEarlierEnd, lockAttempt } from "./end-attempt.ts";
import type { AttemptEnd, AttemptKey, LockedAttempt, NextState } from "./end-attempt.ts";
import type { AttemptError } from "./insert-attempts.ts";

export interface RetryPolicy {
  /** The delay before the first retry, without jitter, in milliseconds; 0 retries at once. */
  baseMs: number;
  /** The longest delay, in milliseconds. */
  capMs: number;
}

export interface Failure {
  error: AttemptError;
  retry: RetryPolicy;
  /** True when no retry can help: the job fails for good, even with retries left. */
  permanent?: boolean;
  /** Replaces the policy's delay, such as a provider's Retry-After, in milliseconds; a value that is not finite is ignored. */
  delayMs?: number | undefined;
  /**
   * `failed` unless given. `failed` and `timed_out` use a retry; `lease_expired` and `crashed` count against the job's
   * `max_crashes` instead.
   */
  outcome?: Extract<AttemptOutcome, "failed" | "timed_out" | "lease_expired" | "crashed">;
  /** Ids of the jobs that ran in the same process when it died, for the history; none unless given. */
  suspects?: readonly string[];
}

const CRASHES: ReadonlySet<AttemptOutcome> = new Set(["lease_expired", "crashed"]);

/** The status of the job after a failed attempt; `cancelled` when that was requested. */
export type Settled = "queued" | "failed" | "cancelled";

/**
 * Records a failed or crashed attempt. Queues the job again after a jittered exponential delay, or ends it as a dead
 * letter when its retries or its crashes are used up.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function fail(tx: Tx, claim: Claim, failure: Failure): Promise<Settled> {
  const settled = await settleFailure(tx, claim, { ...failure, guard: holdsLease(tx, claim) });
  return settled ?? readEarlierEnd(tx, claim, ["queued", "failed", "cancelled"]);
}

/** `fail` under the caller's guard. Undefined when the guard does not hold; nothing is changed then. */
export async function settleFailure(
  tx: Tx,
  attempt: AttemptKey,
  { guard, ...failure }: Failure & { guard: PendingQuery<Row[]> },
): Promise<Settled | undefined> {
  const locked = await lockAttempt(tx, attempt, guard);
  if (!locked) return undefined;
  const { error, outcome = "failed", suspects = [] } = failure;
  const next = decide(locked, failure);
  const end: AttemptEnd = { next, history: { outcome, error } };
  if (next.status === "queued") {
    const { retryCount, crashCount } = locked;
    const counts =
      next.raises === "crash_count"
        ? { retryCount, crashCount: crashCount + 1 }
        : { retryCount: retryCount + 1, crashCount };
    const data = { error: error.message, outcome, ...counts, ...(suspects.length > 0 && { suspects }) };
    end.event = { type: "retrying", data };
  }
  return (await endAttempt(tx, attempt, { ...end, guard })) ? next.status : undefined;
}

/** The job's next state: cancelled when that was requested, else queued while retries or crashes are left, else failed. */
function decide(
  job: LockedAttempt,
  { error, retry, permanent = false, delayMs, outcome = "failed" }: Failure,
): Extract<NextState, { status: Settled }> {
  const [count, max] = CRASHES.has(outcome) ? [job.crashCount, job.maxCrashes] : [job.retryCount, job.maxRetries];
  if (job.isCancelRequested) return { status: "cancelled", error: error.message };
  if (permanent || count >= max) return { status: "failed", error: error.message };
  return {
    status: "queued",
    delayMs: chosenDelay(delayMs) ?? backoffMs(retry, count),
    raises: CRASHES.has(outcome) ? "crash_count" : "retry_count",
    error: error.message,
  };
}

/** The caller's delay, clamped, in milliseconds; undefined without one. */
function chosenDelay(delayMs: number | undefined): number | undefined {
  return delayMs !== undefined && Number.isFinite(delayMs) ? Math.min(Math.max(delayMs, 0), MAX_DELAY_MS) : undefined;
}

/** Exponential backoff with a jitter of 0.5 to 1, in milliseconds. */
function backoffMs({ baseMs, capMs }: RetryPolicy, count: number): number {
  return (0.5 + Math.random() / 2) * Math.min(baseMs * 2 ** count, capMs);
}
