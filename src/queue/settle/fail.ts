import type { Tx } from "#db";
import { MAX_DELAY_MS } from "../check-job.ts";
import type { Claim } from "../claimed-job.ts";
import { LeaseLostError } from "../errors.ts";
import { notifyChanged } from "../events/wake.ts";
import { holdsLease, settledBefore } from "../fence.ts";
import { lockLimit, lockThread } from "../locks.ts";
import { settleDependents } from "../ready/dependencies.ts";
import { announce, passOn } from "../ready/ready.ts";
import type { PendingQuery, Row } from "postgres";
import type { AttemptOutcome } from "#shared/job-states";

export interface RetryPolicy {
  /** The delay before the first retry, before jitter, in milliseconds; 0 retries at once. */
  baseMs: number;
  /** The longest delay, in milliseconds. */
  capMs: number;
}

export interface Failure {
  error: { name: string; message: string; stack: string | null };
  retry: RetryPolicy;
  /** True where another try cannot help: the job fails for good, whatever retries are left. */
  permanent?: boolean;
  /** A delay to keep instead of the policy's, such as a provider's Retry-After, in milliseconds; what is no number counts as absent. */
  delayMs?: number | undefined;
  /**
   * `failed` unless given. `failed` and `timed_out` use a retry; `lease_expired` and `crashed` are crashes, which have a
   * bound of their own.
   */
  outcome?: Extract<AttemptOutcome, "failed" | "timed_out" | "lease_expired" | "crashed">;
  /** The jobs that ran in the same process when it died, for the history; none unless given. */
  suspects?: readonly string[];
}

const CRASHES: ReadonlySet<AttemptOutcome> = new Set(["lease_expired", "crashed"]);

/** What became of a failed job; `cancelled` when that had been asked for. */
export type Settled = "queued" | "failed" | "cancelled";

/**
 * Records a failed or crashed attempt: queues the job again after a jittered exponential delay, or ends it as a dead
 * letter once its retries or its crashes are used up.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function fail(tx: Tx, claim: Claim, failure: Failure): Promise<Settled> {
  const settled = await settleFailure(tx, claim, { ...failure, guard: holdsLease(tx, claim) });
  if (settled !== undefined) return settled;
  for (const status of ["queued", "failed", "cancelled"] as const) {
    if (await settledBefore(tx, claim, status)) return status;
  }
  throw new LeaseLostError(claim.jobId, claim.attempt);
}

/** Settles a failed attempt under the caller's guard; undefined when the guard did not hold and nothing was changed. */
export async function settleFailure(
  tx: Tx,
  claim: Pick<Claim, "jobId" | "threadId" | "limitKey" | "queue">,
  failure: Failure & { guard: PendingQuery<Row[]> },
): Promise<Settled | undefined> {
  const { error, retry, permanent = false, delayMs, outcome = "failed", suspects = [], guard } = failure;
  const isCrash = CRASHES.has(outcome);
  const [count, most] = isCrash ? [tx`crash_count`, tx`max_crashes`] : [tx`retry_count`, tx`max_retries`];
  const keptMs = Number.isFinite(delayMs) ? Math.min(Math.max(delayMs ?? 0, 0), MAX_DELAY_MS) : null;
  await lockThread(tx, claim.threadId);
  await lockLimit(tx, claim);
  const [row] = await tx<{ status: Settled; hold: string | null; has_dependents: boolean; event_seq: number }[]>`
    with owner as (
      select id, cancel_requested_at is not null as cancelled,
        not ${permanent} and ${count} < ${most} and cancel_requested_at is null as again,
        coalesce(${keptMs}::float8,
          (0.5 + random() / 2) * least(${retry.baseMs}::float8 * power(2::float8, ${count}), ${retry.capMs}::float8)) as delay_ms
      from jobs where ${guard} for update
    ), settled as (
      update jobs set
        status = case when again then 'queued' when cancelled then 'cancelled' else 'failed' end::job_status,
        hold = case when again and delay_ms > 0 then 'time'::job_hold when again and limit_key is not null then 'limit'::job_hold end,
        ${count} = ${count} + case when again then 1 else 0 end,
        run_at = case when again then clock_timestamp() + make_interval(secs => delay_ms / 1000) else run_at end,
        completed_at = case when again then null else clock_timestamp() end,
        error_message = ${error.message}, worker_id = null, lease_expires_at = null, progress = null,
        event_seq = event_seq + case when again then 1 else 0 end
      from owner where jobs.id = owner.id
      returning jobs.*
    ), recorded as (
      insert into job_attempts (job_id, attempt, worker_id, started_at, ended_at, outcome, error_name, error_message, error_stack, usage)
      select id, attempt, last_worker_id, claimed_at, clock_timestamp(), ${outcome}::attempt_outcome, ${error.name}, ${error.message}, ${error.stack}, usage
      from settled
    ), noted as (
      insert into job_events (job_id, seq, attempt, type, data)
      select id, event_seq, attempt, 'retrying',
        jsonb_build_object('error', error_message, 'outcome', ${outcome}::text, 'retryCount', retry_count,
          'crashCount', crash_count, 'runAt', run_at)
          || ${JSON.stringify(suspects.length > 0 ? { suspects } : {})}::text::jsonb
      from settled where status = 'queued'
    )
    select status, hold, has_dependents, event_seq from settled`;
  if (!row) return undefined;
  await notifyChanged(tx, { ...claim, eventSeq: row.event_seq });
  if (row.status === "queued") {
    await announce(tx, [{ queue: claim.queue, limit_key: claim.limitKey, hold: row.hold }]);
    // The job keeps its thread's head while it waits, but not its place under a limit.
    await passOn(tx, { ...claim, threadId: null });
    return row.status;
  }
  await passOn(tx, claim);
  if (row.has_dependents) await settleDependents(tx, claim.jobId, row.status);
  return row.status;
}
