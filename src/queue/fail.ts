import type { PendingQuery, Row } from "postgres";
import type { Tx } from "#db";
import type { AttemptOutcome } from "#shared/job-states";
import type { Claim } from "./claim.ts";
import { LeaseLostError } from "./errors.ts";
import { holdsLease } from "./fence.ts";
import { lockThread, notifyReady, readyNextInThread } from "./lock-thread.ts";

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
  /** `failed` unless the run took too long or its lease expired. */
  outcome?: Extract<AttemptOutcome, "failed" | "timed_out" | "lease_expired">;
}

/** What became of a failed job. */
export type Settled = "queued" | "failed";

/**
 * Records a failed attempt: queues a retry after a jittered exponential delay, or ends the job as a dead letter.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function fail(tx: Tx, claim: Claim, failure: Failure): Promise<Settled> {
  const settled = await settleFailure(tx, claim, { ...failure, guard: holdsLease(tx, claim) });
  if (settled === undefined) throw new LeaseLostError(claim.jobId, claim.attempt);
  return settled;
}

/** Settles a failed attempt under the caller's guard; undefined when the guard did not hold and nothing was changed. */
export async function settleFailure(
  tx: Tx,
  claim: Pick<Claim, "threadId">,
  { error, retry, permanent = false, outcome = "failed", guard }: Failure & { guard: PendingQuery<Row[]> },
): Promise<Settled | undefined> {
  await lockThread(tx, claim.threadId);
  const [row] = await tx<{ status: Settled; queue: string; hold: string | null }[]>`
    with owner as (
      select id, not ${permanent} and retry_count < max_retries as again,
        (0.5 + random() / 2) * least(${retry.baseMs}::float8 * power(2::float8, retry_count), ${retry.capMs}::float8) as delay_ms
      from jobs where ${guard} for update
    ), settled as (
      update jobs set
        status = case when again then 'queued'::job_status else 'failed'::job_status end,
        hold = case when again and delay_ms > 0 then 'time'::job_hold end,
        retry_count = retry_count + case when again then 1 else 0 end,
        run_at = case when again then clock_timestamp() + make_interval(secs => delay_ms / 1000) else run_at end,
        completed_at = case when again then null else clock_timestamp() end,
        error_message = ${error.message}, worker_id = null, lease_expires_at = null, progress = null, event_seq = event_seq + 1
      from owner where jobs.id = owner.id
      returning jobs.*
    ), recorded as (
      update job_attempts set ended_at = clock_timestamp(), outcome = ${outcome}::attempt_outcome,
        error_name = ${error.name}, error_message = ${error.message}, error_stack = ${error.stack}
      from settled where job_attempts.job_id = settled.id and job_attempts.attempt = settled.attempt
    ), noted as (
      insert into job_events (job_id, seq, attempt, type, data)
      select id, event_seq, attempt, case when status = 'failed' then 'failed' else 'retrying' end,
        jsonb_build_object('error', error_message, 'outcome', ${outcome}::text, 'retryCount', retry_count, 'runAt', run_at)
      from settled
    )
    select status, queue, hold from settled`;
  if (!row) return undefined;
  if (row.status === "failed") await readyNextInThread(tx, claim.threadId);
  else if (row.hold === null) await notifyReady(tx, row.queue);
  return row.status;
}
