import type { Tx } from "#db";
import { CRASHES_BEFORE_QUARANTINE } from "#shared/limits";
import { checkPayload } from "../enqueue/check-job.ts";
import { dropEndedDependencies } from "../ready/dependencies.ts";
import { editPayload } from "../edit-payload.ts";
import { JobConflictError } from "../errors.ts";
import { lockJob } from "../lock-job.ts";
import type { JobKey } from "../lock-job.ts";
import { admit } from "../ready/admit.ts";
import { placeAgain } from "../branch.ts";
import type { Place } from "../branch.ts";
import { announce } from "../ready/ready.ts";
import type { Readied } from "../ready/ready.ts";

/**
 * Queues a dead letter or a cancelled job again, with all its retries and with its history kept; a job that waits for
 * its retry runs at once. In a thread that has gone on, it comes after the job at its head and before the rest. It waits
 * for those of its dependencies that are unfinished, such as one that was queued again before it. With a payload, that
 * replaces the job's, and a chat turn begins anew with it instead of going on from its last checkpoint; the caller has
 * checked that it fits the job type. A job that has crashed often enough to run alone goes on running alone.
 * @throws JobNotFoundError; InvalidJobError when the payload cannot be stored; JobConflictError when the job runs,
 * waits for a person or has completed, or when another unfinished job has its unique key.
 */
export async function redrive(tx: Tx, key: JobKey, { payload }: { payload?: unknown } = {}): Promise<void> {
  if (payload !== undefined) checkPayload(payload);
  const job = await lockJob(tx, key);
  if (job.status === "queued" && job.hold === "time") {
    const json = await edit(tx, job.jobId, payload);
    const readied = await tx<Readied[]>`
      update jobs set run_at = clock_timestamp(), payload = coalesce(${json}::text::jsonb, payload), hold = case when limit_key is not null then 'limit'::job_hold end
      where id = ${job.jobId} returning queue, limit_key, hold`;
    await announce(tx, readied);
    return admit(tx, job);
  }
  if (job.status !== "failed" && job.status !== "cancelled") {
    throw new JobConflictError(`The job is ${job.status}: only failed, cancelled and delayed jobs can be retried`);
  }
  await checkUnique(tx, job.jobId);
  await dropEndedDependencies(tx, job.jobId);
  const json = await edit(tx, job.jobId, payload);
  // An edited turn has its place in its payload.
  const branch = json === null ? await placeAgain(tx, job.jobId) : undefined;
  const readied = await queueAgain(tx, job.jobId, { json, branch });
  await forgetFreshness(tx, job.jobId);
  await announce(tx, readied);
  return admit(tx, job);
}

/** The edited payload as JSON; null where the job keeps its own. */
async function edit(tx: Tx, jobId: string, payload: unknown): Promise<string | null> {
  const edited = payload === undefined ? undefined : await editPayload(tx, jobId, payload);
  return edited === undefined ? null : JSON.stringify(edited);
}

async function queueAgain(
  tx: Tx,
  jobId: string,
  { json, branch }: { json: string | null; branch: Place["branch"] },
): Promise<Readied[]> {
  const place = branch === undefined ? null : JSON.stringify({ branch });
  const waiting = tx`(select count(*)::int from job_dependencies where job_id = jobs.id)`;
  const queued = tx<Readied[]>`
    with closed as (
      -- The closing event was implied by the status that now goes: it takes its place in the log.
      insert into job_events (job_id, seq, attempt, type, data, created_at)
      select id, event_seq + 1, attempt, status::text, jsonb_strip_nulls(jsonb_build_object('error', error_message)), completed_at
      from jobs where id = ${jobId}
    ), noted as (
      insert into job_events (job_id, seq, attempt, type) select id, event_seq + 2, attempt, 'redriven' from jobs where id = ${jobId}
    )
    update jobs set status = 'queued', retry_count = 0, crash_count = least(crash_count, ${CRASHES_BEFORE_QUARANTINE}), pending_dependencies = ${waiting},
      payload = case when ${place}::text is null then coalesce(${json}::text::jsonb, payload) else payload || ${place}::text::jsonb end,
      run_at = clock_timestamp(), completed_at = null, cancel_requested_at = null, discarded_at = null, event_seq = event_seq + 2,
      hold = case
        when exists (
          select 1 from jobs as head where head.thread_id = jobs.thread_id and head.status in ('queued', 'running', 'waiting')
        ) then 'thread'::job_hold
        when ${waiting} > 0 then 'dependency'::job_hold
        when limit_key is not null then 'limit'::job_hold
      end
    where id = ${jobId}
    returning queue, limit_key, hold`;
  return queued.catch((error: unknown) => {
    if (!isTaken(error)) throw error;
    throw new JobConflictError("Another job got the same uniqueKey meanwhile: wait for its end, or cancel it");
  });
}

/** A turn that was the first of its thread is so no more once others may come before it. */
async function forgetFreshness(tx: Tx, jobId: string): Promise<void> {
  await tx`
    update jobs set payload = payload - 'freshThread'
    where id = ${jobId} and decision_set_id is not null and jsonb_typeof(payload) = 'object' and payload ? 'freshThread'`;
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "constraint_name" in error && error.constraint_name === "uq_jobs_unique_key";
}

async function checkUnique(tx: Tx, jobId: string): Promise<void> {
  const [other] = await tx<{ id: string }[]>`
    select other.id from jobs join jobs as other using (owner_id, job_type, unique_key)
    where jobs.id = ${jobId} and other.id <> jobs.id and other.status in ('queued', 'running', 'waiting')`;
  if (other)
    throw new JobConflictError(
      `Job ${other.id} has the same uniqueKey and is unfinished: wait for its end, or cancel it`,
    );
}

/**
 * Puts a dead letter aside: it stays in the history, but is no longer among the dead letters.
 * @throws JobNotFoundError; JobConflictError when the job has not failed.
 */
export async function discard(tx: Tx, key: JobKey): Promise<void> {
  const job = await lockJob(tx, key);
  if (job.status !== "failed")
    throw new JobConflictError(`The job is ${job.status}: only failed jobs can be discarded`);
  await tx`update jobs set discarded_at = coalesce(discarded_at, clock_timestamp()) where id = ${job.jobId}`;
}
