import { newId, together } from "#db";
import type { Executor, Tx } from "#db";
import { checkBatch, checkJob } from "../check-job.ts";
import { InvalidJobError } from "../errors.ts";
import { notifyReady } from "../events/notices.ts";
import { flushStored } from "../flush.ts";
import { distinctKeys, lockLimits, lockThreads } from "../locks.ts";
import type { LimitedKey } from "../locks.ts";
import type { EnqueuedJob, Entry, NewJob } from "../new-job.ts";
import { admit } from "../ready/admit.ts";
import { lockDependencies, recordDependencies } from "../ready/dependencies.ts";
import { readyHeadless } from "../ready/ready.ts";
import { insertJobs, isKeyed } from "./insert-jobs.ts";
import type { Sql } from "postgres";
import type { JobStatus } from "#shared/job-states";
import { DEFAULT_QUEUE, MAX_BATCH_JOBS, MAX_BATCH_LOCKS } from "#shared/limits";
import { UNFINISHED } from "../predicates.ts";

/**
 * Stores up to 10,000 jobs in the caller's transaction, all or none, in the order given. On a pool it opens its own
 * transaction; jobs without keys, limits and dependencies then take a single statement. A job whose idempotency key, or
 * unfinished unique key, is taken returns the job that has the key.
 * @throws InvalidJobError when a field is out of range, a dependency is unknown or dependencies form a cycle; nothing is
 * stored.
 */
export async function enqueueMany(sql: Executor, jobs: readonly NewJob[]): Promise<EnqueuedJob[]> {
  if (jobs.length === 0) return [];
  if (jobs.length > MAX_BATCH_JOBS)
    throw new InvalidJobError(`jobs must be at most ${MAX_BATCH_JOBS}: split the batch`);
  const entries = jobs.map(toEntry);
  checkBatch(entries);
  const givenIds = jobs.some((job) => job.jobId !== undefined);
  if (!("begin" in sql)) return storeAll(sql as Tx, entries, { givenIds });
  if (givenIds || !entries.every(isIndependent))
    return (sql as Sql).begin(async (tx) => storeAll(tx, entries, { givenIds }));
  const { queues, unflushed } = await insertJobs(sql, entries, {
    unfinished: new Set(),
    givenIds,
    isWholeTransaction: true,
  });
  const [first] = entries;
  // Workers may already run the jobs. The submitter gets its answer only after they are on the disk.
  if (unflushed && first) await flushStored(sql, first.jobId);
  for (const queue of queues) await notifyReady(sql, queue);
  return entries.map(toEnqueued);
}

/**
 * Fills in a job's defaults.
 * @throws InvalidJobError when a field is out of range.
 */
function toEntry(job: NewJob): Entry {
  // Field by field, so that all entries share one hidden class of V8; a spread makes reading them ten times as slow.
  const entry: Entry = {
    // Lower case, as the database writes it: ids are compared, and locks are named after them.
    jobId: job.jobId?.toLowerCase() ?? newId(),
    ownerId: job.ownerId,
    jobType: job.jobType,
    payload: job.payload,
    payloadJson: "",
    queue: job.queue ?? DEFAULT_QUEUE,
    threadId: job.threadId?.toLowerCase(),
    decisionSetId: job.decisionSetId,
    priority: job.priority,
    maxRetries: job.maxRetries,
    maxCrashes: job.maxCrashes,
    idempotencyKey: job.idempotencyKey,
    requestHash: job.requestHash,
    uniqueKey: job.uniqueKey,
    limitKey: job.limitKey,
    timeoutMs: job.timeoutMs,
    budget: job.budget,
    delayMs: job.delayMs,
    runAt: job.runAt,
    after: job.after?.map((id) => id.toLowerCase()),
    onDependencyFailure: job.onDependencyFailure,
    traceContext: job.traceContext,
    scheduleId: job.scheduleId,
    scheduledFor: job.scheduledFor,
  };
  entry.payloadJson = checkJob(entry);
  return entry;
}

/** True when no stored job affects how this one is stored: it has no key, limit or dependency. */
function isIndependent(entry: Entry): boolean {
  return !isKeyed(entry) && (entry.limitKey ?? entry.after ?? null) === null;
}

function toEnqueued({ jobId, threadId = null, decisionSetId = null }: Entry): EnqueuedJob {
  return { jobId, threadId, decisionSetId, status: "queued", created: true };
}

/** Attempts to store a job whose unique key was taken at the insert and free at the read that followed. */
const MAX_RETRIES = 5;

async function storeAll(tx: Tx, entries: readonly Entry[], options: StoreOptions): Promise<EnqueuedJob[]> {
  const { givenIds, retries = MAX_RETRIES } = options;
  const limited = distinctKeys(
    entries.flatMap(({ queue, limitKey }) => (limitKey === undefined ? [] : [{ queue, limitKey }])),
  );
  const threads = [...new Set(entries.flatMap((entry) => entry.threadId ?? []))];
  // Sent without awaiting: the statements after it wait for the locks in the server, which saves a round trip.
  const locking = lockBatch(tx, threads, limited);
  const unfinished = entries.some((entry) => entry.after !== undefined)
    ? (await together([locking, lockDependencies(tx, entries)]))[1]
    : new Set(entries.map((entry) => entry.jobId));
  const [, added] = await together([
    locking,
    insertJobs(tx, entries, { unfinished, givenIds, isWholeTransaction: false }),
  ]);
  const isAdded = (entry: Entry) => added.ids === null || added.ids.has(entry.jobId);
  const isWhole = added.ids === null || added.ids.size === entries.length;
  if (!isWhole) {
    checkMissing(entries, isAdded);
    // The insert may have treated a job that was not added as its thread's head.
    for (const threadId of threads) await readyHeadless(tx, threadId);
  }
  await recordDependencies(tx, entries.filter(isAdded), unfinished);
  for (const key of limited) await admit(tx, key);
  for (const queue of added.queues) await notifyReady(tx, queue);
  if (isWhole) return entries.map(toEnqueued);
  const first = await findFirst(tx, entries);
  // A unique key is free again as soon as its unfinished job ends.
  const isFreed = (entry: Entry, index: number) =>
    !isAdded(entry) && !first.has(index) && (entry.uniqueKey ?? null) !== null;
  const freed = retries > 0 ? entries.filter(isFreed) : [];
  const stored = freed.length > 0 ? await storeAll(tx, freed, { givenIds, retries: retries - 1 }) : [];
  const anew = new Map(freed.map((entry, index) => [entry, stored[index]]));
  return entries.map((entry, index) => {
    if (isAdded(entry)) return toEnqueued(entry);
    const found = first.get(index) ?? anew.get(entry);
    if (!found) throw new InvalidJobError(`jobId ${entry.jobId} exists already: leave jobId out to get a new one`);
    return found;
  });
}

interface StoreOptions {
  /** True when the caller gave at least one job id. */
  givenIds: boolean;
  retries?: number;
}

async function lockBatch(tx: Tx, threads: readonly string[], limited: readonly LimitedKey[]): Promise<void> {
  if (threads.length + limited.length > MAX_BATCH_LOCKS) {
    throw new InvalidJobError(
      `jobs must have at most ${MAX_BATCH_LOCKS} different threadIds and limitKeys: split the batch`,
    );
  }
  await together([lockThreads(tx, threads), lockLimits(tx, limited)]);
}

/** @throws InvalidJobError when a job depends on a job of the batch that was not added because its key was taken. */
function checkMissing(entries: readonly Entry[], isAdded: (entry: Entry) => boolean): void {
  const missing = new Set(entries.filter((entry) => !isAdded(entry)).map((entry) => entry.jobId));
  for (const entry of entries) {
    const id = isAdded(entry) ? entry.after?.find((one) => missing.has(one)) : undefined;
    if (id !== undefined)
      throw new InvalidJobError(`after names job ${id} of the batch, whose key has a job already: name that one`);
  }
}

/** The jobs that hold the entries' keys, by the entry's index. */
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
  const rows = await tx<(StoredRow & { ord: number })[]>`
    select entry.ord, found.id, found.thread_id, found.decision_set_id, found.status
    from jsonb_to_recordset(${JSON.stringify(keys)}::text::jsonb) as entry (ord int, owner_id text, job_type text,
      idempotency_key text, unique_key text, schedule_id uuid, scheduled_for timestamptz)
    cross join lateral (
      select id, thread_id, decision_set_id, status from jobs
        where owner_id = entry.owner_id and idempotency_key = entry.idempotency_key
      union all
      select id, thread_id, decision_set_id, status from jobs
        where owner_id = entry.owner_id and job_type = entry.job_type and unique_key = entry.unique_key
          and ${tx.unsafe(UNFINISHED)}
      union all
      select id, thread_id, decision_set_id, status from jobs
        where schedule_id = entry.schedule_id and scheduled_for = entry.scheduled_for
      limit 1
    ) as found`;
  return new Map(rows.map((row) => [row.ord, toFirstJob(row)]));
}

/** A stored job that has a key already. */
export interface StoredRow {
  id: string;
  thread_id: string | null;
  decision_set_id: string | null;
  status: JobStatus;
}

export function toFirstJob(row: StoredRow): EnqueuedJob {
  return {
    jobId: row.id,
    threadId: row.thread_id,
    decisionSetId: row.decision_set_id,
    status: row.status,
    created: false,
  };
}
