import type { Tx } from "#db";
import { insertEvent } from "../events/append-events.ts";
import { JobConflictError } from "../errors.ts";
import { lockJob } from "../lock-job.ts";
import type { JobKey, LockedJob } from "../lock-job.ts";
import { admit } from "../ready/admit.ts";
import { dropEndedDependencies } from "../ready/dependencies.ts";
import { dispatch, nextHold } from "../ready/ready.ts";
import type { Readied } from "../ready/ready.ts";
import { CRASHES_BEFORE_QUARANTINE } from "#shared/limits";
import { UNFINISHED } from "../predicates.ts";

export interface RedriveOptions {
  /** Returns the new payload as JSON text; undefined keeps the stored one. It is called while the job is locked. */
  revise?: (job: LockedJob) => Promise<string | undefined>;
}

/**
 * Queues a dead letter or a cancelled job again, with all its retries and its history. A delayed job becomes ready at
 * once. In a thread with unfinished jobs, the job runs after the thread's head and before the rest. It waits for its
 * unfinished dependencies. A job that ran alone because of its crashes still runs alone.
 * @throws NotFoundError when the owner has no such job; JobConflictError when the job runs, waits for a person or has
 * completed. JobConflictError also when another unfinished job has its unique key. Nothing is changed then.
 */
export async function redrive(tx: Tx, key: JobKey, { revise }: RedriveOptions = {}): Promise<void> {
  const job = await lockJob(tx, key);
  if (job.status === "queued" && job.hold === "time") {
    const json = (await revise?.(job)) ?? null;
    const readied = await tx<Readied[]>`
      update jobs set run_at = clock_timestamp(), payload = coalesce(${json}::text::jsonb, payload), hold = ${nextHold(tx, { runAt: tx`clock_timestamp()` })}
      where id = ${job.jobId} returning queue, limit_key, hold`;
    await dispatch(tx, readied);
    return admit(tx, job);
  }
  if (job.status !== "failed" && job.status !== "cancelled") {
    throw new JobConflictError(`The job is ${job.status}: only failed, cancelled and delayed jobs can be retried`);
  }
  await checkUnique(tx, job.jobId);
  await dropEndedDependencies(tx, job.jobId);
  const readied = await queueAgain(tx, job.jobId, (await revise?.(job)) ?? null);
  await dispatch(tx, readied);
  return admit(tx, job);
}

async function queueAgain(tx: Tx, jobId: string, json: string | null): Promise<Readied[]> {
  const waiting = tx`(select count(*)::int from job_dependencies where job_id = jobs.id)`;
  const queued = tx<Readied[]>`
    with closed as (
      -- The status implied the closing event. The status now changes, so the event is written.
      insert into job_events (job_id, seq, attempt, type, data, created_at)
      select id, event_seq + 1, attempt, status::text, jsonb_strip_nulls(jsonb_build_object('error', error_message)), completed_at
      from jobs where id = ${jobId}
    ), noted as (
      ${insertEvent(tx, tx`(select id, attempt, event_seq + 2 as event_seq from jobs where id = ${jobId}) as job`, { type: "redriven" })}
    )
    update jobs set status = 'queued', retry_count = 0, crash_count = least(crash_count, ${CRASHES_BEFORE_QUARANTINE}), pending_dependencies = ${waiting},
      payload = coalesce(${json}::text::jsonb, payload),
      run_at = clock_timestamp(), completed_at = null, cancel_requested_at = null, discarded_at = null, event_seq = event_seq + 2,
      hold = case
        when exists (
          select 1 from jobs as head where head.thread_id = jobs.thread_id and head.${tx.unsafe(UNFINISHED)}
        ) then 'thread'::job_hold
        else ${nextHold(tx, { runAt: tx`clock_timestamp()`, pending: waiting })}
      end
    where id = ${jobId}
    returning queue, limit_key, hold`;
  return queued.catch((error: unknown) => {
    if (!isTaken(error)) throw error;
    throw new JobConflictError("Another job has the same uniqueKey and is unfinished: wait for its end, or cancel it");
  });
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "constraint_name" in error && error.constraint_name === "uq_jobs_unique_key";
}

async function checkUnique(tx: Tx, jobId: string): Promise<void> {
  const [other] = await tx<{ id: string }[]>`
    select other.id from jobs join jobs as other using (owner_id, job_type, unique_key)
    where jobs.id = ${jobId} and other.id <> jobs.id and other.${tx.unsafe(UNFINISHED)}`;
  if (other)
    throw new JobConflictError(
      `Job ${other.id} has the same uniqueKey and is unfinished: wait for its end, or cancel it`,
    );
}
