import { v7 as uuidv7 } from "uuid";
import type { Tx } from "#db";
import type { JobStatus } from "#shared/job-states";
import { DEFAULT_MAX_RETRIES, DEFAULT_QUEUE, MAX_BATCH_JOBS, MAX_BATCH_LOCKS } from "#shared/limits";
import { admit } from "./admit.ts";
import { checkJobs } from "./check-job.ts";
import { lockDependencies, recordDependencies } from "./dependencies.ts";
import type { EnqueuedJob, NewJob } from "./enqueue.ts";
import { InvalidJobError } from "./errors.ts";
import { lockAll } from "./locks.ts";
import { nextHold, readyHeadless } from "./ready.ts";
import { notifyReady } from "./wake.ts";

/**
 * Stores many jobs in the caller's transaction, all or none, in the order given; at most 10,000.
 * Those whose idempotency key, or unfinished unique key, has a job already return that one.
 * @throws InvalidJobError when a field is out of its range, a dependency is unknown or they form a cycle.
 */
export async function enqueueMany(tx: Tx, jobs: readonly NewJob[]): Promise<EnqueuedJob[]> {
  if (jobs.length === 0) return [];
  if (jobs.length > MAX_BATCH_JOBS)
    throw new InvalidJobError(`jobs must be at most ${MAX_BATCH_JOBS}: split the batch`);
  const entries = jobs.map((job) => ({
    ...job,
    // As the database writes them: ids are compared, and name locks.
    jobId: job.jobId?.toLowerCase() ?? uuidv7(),
    threadId: job.threadId?.toLowerCase(),
    after: job.after?.map((id) => id.toLowerCase()),
    queue: job.queue ?? DEFAULT_QUEUE,
  }));
  checkJobs(entries);
  const limited = limitedKeys(entries);
  const threads = [...new Set(entries.flatMap((entry) => entry.threadId ?? []))];
  await lockBatch(tx, threads, limited);
  const unfinished = await lockDependencies(tx, entries);
  const queues = [...new Set(entries.map((entry) => entry.queue))];
  await tx`
    insert into queues (name) select wanted.name from unnest(${queues}::text[]) as wanted (name)
    where not exists (select 1 from queues where queues.name = wanted.name) on conflict do nothing`;
  const added = new Map((await insertJobs(tx, entries, unfinished)).map((row) => [row.id, row]));
  if (added.size < entries.length) {
    checkMissing(entries, added);
    // One that was not added may have been taken for its thread's head.
    for (const threadId of threads) await readyHeadless(tx, threadId);
  }
  await recordDependencies(
    tx,
    entries.filter((entry) => added.has(entry.jobId)),
    unfinished,
  );
  for (const key of limited) await admit(tx, key);
  // Those held for a time wake the workers as well: one may be due before they would look again.
  const wanted = [...added.values()].filter((row) => row.hold === null || row.hold === "time");
  for (const queue of new Set(wanted.map((row) => row.queue))) {
    await notifyReady(tx, queue);
  }
  const first = added.size === entries.length ? new Map<number, EnqueuedJob>() : await findFirst(tx, entries);
  return entries.map((entry, index) => {
    if (added.has(entry.jobId)) {
      const { jobId, threadId = null, decisionSetId = null } = entry;
      return { jobId, threadId, decisionSetId, status: "queued", created: true };
    }
    const found = first.get(index);
    if (!found) throw new InvalidJobError(`jobId ${entry.jobId} exists already: leave jobId out to get a new one`);
    return found;
  });
}

/** A job with what is made for it when its submitter gave none. */
export type Entry = NewJob & { jobId: string; queue: string };

function limitedKeys(entries: readonly Entry[]) {
  const keys = entries.filter((entry) => entry.limitKey !== undefined);
  return [
    ...new Map(
      keys.map((entry) => [
        `${entry.queue}\n${entry.limitKey}`,
        { queue: entry.queue, limitKey: entry.limitKey ?? null },
      ]),
    ).values(),
  ];
}

async function lockBatch(tx: Tx, threads: readonly string[], limited: ReturnType<typeof limitedKeys>): Promise<void> {
  const limits = limited.map((key) => `limit:${key.queue}:${key.limitKey}`);
  if (threads.length + limits.length > MAX_BATCH_LOCKS) {
    throw new InvalidJobError(
      `jobs must have at most ${MAX_BATCH_LOCKS} different threadIds and limitKeys: split the batch`,
    );
  }
  await lockAll(
    tx,
    threads.map((id) => `thread:${id}`),
  );
  await lockAll(tx, limits);
}

/** @throws InvalidJobError when a job of the batch waits for one that was not added, because its key has another. */
function checkMissing(entries: readonly Entry[], added: ReadonlyMap<string, Added>): void {
  const missing = new Set(entries.map((entry) => entry.jobId).filter((id) => !added.has(id)));
  for (const entry of entries) {
    const id = added.has(entry.jobId) ? entry.after?.find((one) => missing.has(one)) : undefined;
    if (id !== undefined)
      throw new InvalidJobError(`after names job ${id} of the batch, whose key has a job already: name that one`);
  }
}

interface Added {
  id: string;
  queue: string;
  hold: string | null;
}

async function insertJobs(tx: Tx, entries: readonly Entry[], unfinished: ReadonlySet<string>): Promise<Added[]> {
  const rows = entries.map((entry, ord) => ({
    ord,
    id: entry.jobId,
    owner_id: entry.ownerId,
    decision_set_id: entry.decisionSetId,
    thread_id: entry.threadId,
    job_type: entry.jobType,
    queue: entry.queue,
    priority: entry.priority ?? 0,
    payload: entry.payload,
    max_retries: entry.maxRetries ?? DEFAULT_MAX_RETRIES,
    idempotency_key: entry.idempotencyKey,
    unique_key: entry.uniqueKey,
    limit_key: entry.limitKey,
    timeout_ms: entry.timeoutMs,
    budget: entry.budget,
    delay_ms: entry.delayMs ?? 0,
    run_at: entry.runAt,
    pending: new Set(entry.after?.filter((id) => unfinished.has(id))).size,
    on_failure: entry.onDependencyFailure ?? "fail",
    trace_context: entry.traceContext,
    schedule_id: entry.scheduleId,
    scheduled_for: entry.scheduledFor,
  }));
  return tx<Added[]>`
    insert into jobs (id, owner_id, decision_set_id, thread_id, job_type, queue, priority, payload, max_retries, idempotency_key,
      unique_key, limit_key, timeout_ms, budget, run_at, pending_dependencies, on_dependency_failure, trace_context, schedule_id,
      scheduled_for, hold)
    select id, owner_id, decision_set_id, thread_id, job_type, queue, priority, coalesce(payload, 'null'::jsonb), max_retries, idempotency_key,
      unique_key, limit_key, timeout_ms, budget, run_at, pending_dependencies, on_failure, trace_context, schedule_id, scheduled_for,
      case when behind then 'thread'::job_hold else ${nextHold(tx)} end
    from (
      select *, pending as pending_dependencies,
        thread_id is not null and (
          row_number() over (partition by thread_id order by ord) > 1
          or exists (select 1 from jobs as head where head.thread_id = entry.thread_id and head.status in ('queued', 'running', 'waiting'))
        ) as behind
      from (
        select ord, id, owner_id, decision_set_id, thread_id, job_type, queue, priority, payload, max_retries, idempotency_key,
          unique_key, limit_key, timeout_ms, budget, pending, on_failure, trace_context, schedule_id, scheduled_for,
          coalesce(run_at, clock_timestamp() + make_interval(secs => delay_ms / 1000)) as run_at
        from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as entry (ord int, id uuid, owner_id text, decision_set_id uuid,
          thread_id uuid, job_type text, queue text, priority int, payload jsonb, max_retries int, idempotency_key text,
          unique_key text, limit_key text, timeout_ms int, budget jsonb, delay_ms float8, run_at timestamptz, pending int, on_failure text,
          trace_context jsonb, schedule_id uuid, scheduled_for timestamptz)
      ) as entry
    ) as jobs
    order by ord
    on conflict do nothing
    returning id, queue, hold`;
}

/** The jobs that the entries' keys had already, by the entry's place. */
async function findFirst(tx: Tx, entries: readonly Entry[]): Promise<Map<number, EnqueuedJob>> {
  const keys = entries.map(({ ownerId, jobType, idempotencyKey, uniqueKey, scheduleId, scheduledFor }, ord) => ({
    ord,
    owner_id: ownerId,
    job_type: jobType,
    idempotency_key: idempotencyKey,
    unique_key: uniqueKey,
    schedule_id: scheduleId,
    scheduled_for: scheduledFor,
  }));
  const rows = await tx<
    { ord: number; id: string; thread_id: string | null; decision_set_id: string | null; status: JobStatus }[]
  >`
    select entry.ord, found.id, found.thread_id, found.decision_set_id, found.status
    from jsonb_to_recordset(${JSON.stringify(keys)}::text::jsonb) as entry (ord int, owner_id text, job_type text,
      idempotency_key text, unique_key text, schedule_id uuid, scheduled_for timestamptz)
    cross join lateral (
      select id, thread_id, decision_set_id, status from jobs
        where owner_id = entry.owner_id and idempotency_key = entry.idempotency_key
      union all
      select id, thread_id, decision_set_id, status from jobs
        where owner_id = entry.owner_id and job_type = entry.job_type and unique_key = entry.unique_key
          and status in ('queued', 'running', 'waiting')
      union all
      select id, thread_id, decision_set_id, status from jobs
        where schedule_id = entry.schedule_id and scheduled_for = entry.scheduled_for
      limit 1
    ) as found`;
  return new Map(
    rows.map((row) => [
      row.ord,
      {
        jobId: row.id,
        threadId: row.thread_id,
        decisionSetId: row.decision_set_id,
        status: row.status,
        created: false,
      },
    ]),
  );
}
