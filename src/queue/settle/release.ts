import type { Executor, Tx } from "#db";
import type { Claim } from "../claimed-job.ts";
import { notifyChanged, notifyReady } from "../events/wake.ts";
import { holdsLease, settledBefore } from "../fence.ts";
import { lockLimit, lockThread } from "../locks.ts";
import { passOn } from "../ready/ready.ts";
import { settleIfAsked } from "./cancel.ts";

/**
 * Gives a job back without using up a retry: ready at once, or after a delay (a snooze). One that somebody has asked to
 * cancel meanwhile ends so instead.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function release(
  tx: Tx,
  claim: Claim,
  { delayMs = 0, reason = null }: ReleaseOptions = {},
): Promise<"queued" | "cancelled"> {
  if (delayMs > 0) {
    await lockThread(tx, claim.threadId);
    await lockLimit(tx, claim);
  }
  const rows = await tx`
    with owner as (
      update jobs set status = 'queued', hold = case when ${delayMs > 0} then 'time'::job_hold end,
        run_at = case when ${delayMs > 0} then clock_timestamp() + make_interval(secs => ${delayMs / 1000}::float8) else run_at end,
        worker_id = null, lease_expires_at = null, progress = null, event_seq = event_seq + 1
      where ${holdsLease(tx, claim)} and cancel_requested_at is null
      returning *
    ), recorded as (
      insert into job_attempts (job_id, attempt, worker_id, started_at, ended_at, outcome, error_message, usage)
      select id, attempt, last_worker_id, claimed_at, clock_timestamp(), 'released', ${reason}::text, usage from owner
    ), noted as (
      insert into job_events (job_id, seq, attempt, type, data)
      select id, event_seq, attempt, 'released', jsonb_strip_nulls(jsonb_build_object('reason', ${reason}::text, 'runAt', run_at)) from owner
    )
    select id from owner`;
  if (rows.length === 0) {
    if (await settledBefore(tx, claim, "queued")) return "queued";
    await settleIfAsked(tx, claim);
    return "cancelled";
  }
  await notifyChanged(tx, { ...claim, eventSeq: 1 });
  if (delayMs > 0) await passOn(tx, { ...claim, threadId: null });
  // Of one that is put off as well: it may be due before the workers would look again.
  await notifyReady(tx, claim.queue);
  return "queued";
}

export interface ReleaseOptions {
  /** How long from now the job may run at the earliest, in milliseconds; 0 unless given. */
  delayMs?: number;
  /** Why, for those who read the job's history. */
  reason?: string | null;
}

/**
 * Gives back the jobs that a worker holds without knowing, because the answer to its claim was lost: all but the
 * claims it names, and those to be cancelled, whose lease expires. Returns how many.
 */
export async function releaseOrphans(sql: Executor, workerId: string, known: readonly Claim[]): Promise<number> {
  const rows = await sql<{ queue: string }[]>`
    with orphan as (
      update jobs set status = 'queued', hold = null, worker_id = null, lease_expires_at = null, event_seq = event_seq + 1
      where status = 'running' and worker_id = ${workerId} and lease_expires_at > clock_timestamp() and cancel_requested_at is null
        and (id, attempt) not in (
          select id, attempt from unnest(${known.map((claim) => claim.jobId)}::uuid[], ${known.map((claim) => claim.attempt)}::int[]) as claim (id, attempt)
        )
      returning *
    ), recorded as (
      insert into job_attempts (job_id, attempt, worker_id, started_at, ended_at, outcome, error_message)
      select id, attempt, last_worker_id, claimed_at, clock_timestamp(), 'released', 'The worker never heard that it had the job' from orphan
    ), noted as (
      insert into job_events (job_id, seq, attempt, type) select id, event_seq, attempt, 'released' from orphan
    )
    select queue from orphan`;
  for (const queue of new Set(rows.map((row) => row.queue))) await notifyReady(sql, queue);
  return rows.length;
}
