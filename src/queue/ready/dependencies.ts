import type { Tx } from "#db";
import { InvalidJobError } from "../errors.ts";
import { notifyChanged } from "../events/notices.ts";
import { lockThreads } from "../locks.ts";
import type { Entry } from "../new-job.ts";
import { admitSoon } from "./admit.ts";
import { dispatch, nextHold, readyNextInThread } from "./ready.ts";
import type { Readied } from "./ready.ts";

type Dependent = Pick<Entry, "jobId" | "ownerId" | "after">;

/**
 * Locks the jobs that new jobs depend on, so that none ends before the dependency is recorded. Returns the ids of the
 * unfinished jobs among them and of the batch's own jobs.
 * @throws InvalidJobError when the owner has no such job, or when it has failed and its dependents fail with it.
 */
export async function lockDependencies(
  tx: Tx,
  entries: readonly (Dependent & Pick<Entry, "onDependencyFailure">)[],
): Promise<Set<string>> {
  const own = new Set(entries.map((entry) => entry.jobId));
  const wanted = new Set(entries.flatMap((entry) => entry.after ?? []).filter((id) => !own.has(id)));
  const unfinished = new Set(own);
  if (wanted.size === 0) return unfinished;
  const rows = await tx<{ id: string; owner_id: string; status: string }[]>`
    select id, owner_id, status from jobs where id = any(${[...wanted]}::uuid[]) order by id for update`;
  const found = new Map(rows.map((row) => [row.id, row]));
  for (const entry of entries) {
    for (const id of entry.after ?? []) {
      const job = found.get(id);
      if (own.has(id)) continue;
      if (!job || job.owner_id !== entry.ownerId)
        throw new InvalidJobError(`after names job ${id}, which does not exist`);
      const ended = job.status === "failed" || job.status === "cancelled";
      if (ended && entry.onDependencyFailure !== "run") {
        throw new InvalidJobError(
          `after names job ${id}, which has ${job.status}: retry it first, or choose onDependencyFailure "run"`,
        );
      }
      if (!ended && job.status !== "completed") unfinished.add(id);
    }
  }
  return unfinished;
}

export async function recordDependencies(
  tx: Tx,
  entries: readonly Dependent[],
  unfinished: ReadonlySet<string>,
): Promise<void> {
  const pairs = entries.flatMap((entry) =>
    [...new Set(entry.after)].filter((id) => unfinished.has(id)).map((id) => ({ job_id: entry.jobId, depends_on: id })),
  );
  if (pairs.length === 0) return;
  await tx`
    with pair as (
      select * from jsonb_to_recordset(${JSON.stringify(pairs)}::text::jsonb) as pair (job_id uuid, depends_on uuid)
    ), added as (
      insert into job_dependencies (job_id, depends_on) select job_id, depends_on from pair
    )
    update jobs set has_dependents = true where id in (select depends_on from pair)`;
}

/**
 * Settles the dependents of a job that has ended. A dependent without other unfinished dependencies becomes ready. If the
 * job did not complete, dependents with `onDependencyFailure: "fail"` fail, and their dependents are settled in turn.
 */
export async function settleDependents(
  tx: Tx,
  jobId: string,
  ending: "completed" | "failed" | "cancelled",
): Promise<void> {
  let ended = [jobId];
  for (let fails = ending !== "completed"; ended.length > 0; fails = true) {
    if (fails) await lockThreadsOfDependents(tx, ended);
    // A redrive counts a job's dependencies under the job's row lock. The statements below see that count.
    await tx`
      select id from jobs where id in (select job_id from job_dependencies where depends_on = any(${ended}::uuid[]))
      order by id for update`;
    const failed = fails ? await failDependents(tx, ended) : [];
    await releaseDependents(tx, ended);
    for (const job of failed) {
      if (job.was_head) await readyNextInThread(tx, job.thread_id);
      await notifyChanged(tx, { jobId: job.id, threadId: job.thread_id, eventSeq: job.event_seq });
    }
    // A redriven dependent may have held a slot of its limited key.
    const freed = failed.flatMap(({ queue, limit_key: limitKey }) => (limitKey === null ? [] : [{ queue, limitKey }]));
    await admitSoon(tx, freed);
    ended = failed.map((job) => job.id);
  }
}

async function lockThreadsOfDependents(tx: Tx, ended: readonly string[]): Promise<void> {
  const threads = await tx<{ thread_id: string }[]>`
    select distinct jobs.thread_id from job_dependencies join jobs on jobs.id = job_dependencies.job_id
    where depends_on = any(${[...ended]}::uuid[]) and jobs.thread_id is not null`;
  const threadIds = threads.map((row) => row.thread_id);
  await lockThreads(tx, threadIds);
}

interface FailedDependent {
  id: string;
  thread_id: string | null;
  queue: string;
  limit_key: string | null;
  event_seq: number;
  was_head: boolean;
}

/** Fails queued dependents with `onDependencyFailure: "fail"`. They keep their dependencies, for a later redrive. */
async function failDependents(tx: Tx, ended: readonly string[]): Promise<FailedDependent[]> {
  return tx<FailedDependent[]>`
    with dependent as (
      select jobs.id, jobs.hold is distinct from 'thread' as was_head,
        (select min(depends_on::text) from job_dependencies where job_id = jobs.id and depends_on = any(${[...ended]}::uuid[])) as cause
      from jobs where status = 'queued' and on_dependency_failure = 'fail'
        and id in (select job_id from job_dependencies where depends_on = any(${[...ended]}::uuid[]))
    )
    update jobs set status = 'failed', hold = null, completed_at = clock_timestamp(),
      error_message = 'Job ' || dependent.cause || ', which it depends on, did not complete'
    from dependent where jobs.id = dependent.id
    returning jobs.id, jobs.thread_id, jobs.queue, jobs.limit_key, jobs.event_seq, dependent.was_head`;
}

/** Removes these jobs from the dependencies of queued jobs. A job that ends again after a redrive counts only once. */
async function releaseDependents(tx: Tx, ended: readonly string[]): Promise<void> {
  const released = await tx<{ id: string }[]>`
    with met as (
      delete from job_dependencies using jobs
      where depends_on = any(${[...ended]}::uuid[]) and jobs.id = job_id and jobs.status = 'queued'
      returning job_id
    )
    update jobs set pending_dependencies = greatest(pending_dependencies - met.count, 0)
    from (select job_id, count(*)::int as count from met group by job_id) as met
    where jobs.id = met.job_id
    returning jobs.id`;
  if (released.length === 0) return;
  const ready = await tx<Readied[]>`
    update jobs set hold = ${nextHold(tx)}
    where id = any(${released.map((row) => row.id)}::uuid[]) and status = 'queued' and hold = 'dependency' and pending_dependencies = 0
    returning queue, limit_key, hold`;
  await dispatch(tx, ready);
}

/** Keeps only the unfinished dependencies of a job that is queued again. Call it with the job locked. */
export async function dropEndedDependencies(tx: Tx, jobId: string): Promise<void> {
  await tx`
    delete from job_dependencies using jobs
    where job_id = ${jobId} and jobs.id = depends_on and jobs.status in ('completed', 'failed', 'cancelled')`;
}
