import { v7 as uuidv7 } from "uuid";
import type { Tx } from "#db";
import type { JobStatus } from "#shared/job-states";
import { DEFAULT_MAX_RETRIES, DEFAULT_QUEUE, INT32_MAX, INT32_MIN, MAX_BODY_BYTES } from "#shared/limits";
import { InvalidJobError } from "./errors.ts";
import { lockThread, notifyReady } from "./lock-thread.ts";

export interface NewJob {
  ownerId: string;
  jobType: string;
  /** Any JSON value of at most 1 MiB. */
  payload: unknown;
  queue?: string | undefined;
  /** Jobs of one thread run one at a time in submit order; null or absent for jobs of no thread. */
  threadId?: string | null | undefined;
  decisionSetId?: string | null | undefined;
  /** An int32; higher runs first, 0 unless given. */
  priority?: number | undefined;
  /** 0 to 100; 3 unless given, so at most four executions. */
  maxRetries?: number | undefined;
  /** Per owner; kept for as long as the job is. */
  idempotencyKey?: string | undefined;
  timeoutMs?: number | undefined;
  /** How long from now the job may run at the earliest, by the database's clock; 0 unless given. */
  delayMs?: number | undefined;
}

export interface EnqueuedJob {
  jobId: string;
  threadId: string | null;
  decisionSetId: string | null;
  status: JobStatus;
  /** False when the idempotency key had a job already, which is the one returned. */
  created: boolean;
}

/**
 * Stores one job in the caller's transaction; it is claimable when that commits.
 * The same idempotency key by the same owner returns the first job, whatever became of it.
 * @throws InvalidJobError when a field is out of its range; nothing is stored.
 */
export async function enqueue(tx: Tx, job: NewJob): Promise<EnqueuedJob> {
  checkJob(job);
  const first = await findByKey(tx, job);
  if (first) return first;
  const queue = job.queue ?? DEFAULT_QUEUE;
  const threadId = job.threadId ?? null;
  await lockThread(tx, threadId);
  await tx`insert into queues (name) select ${queue}::text where not exists (select 1 from queues where name = ${queue}) on conflict do nothing`;
  const [row] = await tx<{ id: string; hold: string | null }[]>`
    with entry as (
      select clock_timestamp() + make_interval(secs => ${(job.delayMs ?? 0) / 1000}::float8) as run_at
    ), added as (
      insert into jobs (id, owner_id, decision_set_id, thread_id, job_type, queue, priority, payload, max_retries,
        idempotency_key, timeout_ms, run_at, hold, event_seq)
      select ${uuidv7()}, ${job.ownerId}, ${job.decisionSetId ?? null}::uuid, ${threadId}::uuid, ${job.jobType}, ${queue},
        ${job.priority ?? 0}::int, ${JSON.stringify(job.payload)}::text::jsonb, ${job.maxRetries ?? DEFAULT_MAX_RETRIES}::int,
        ${job.idempotencyKey ?? null}::text, ${job.timeoutMs ?? null}::int, run_at,
        case
          when exists (select 1 from jobs where thread_id = ${threadId}::uuid and status in ('queued', 'running', 'waiting')) then 'thread'::job_hold
          when ${(job.delayMs ?? 0) > 0} then 'time'::job_hold
        end, 1
      from entry
      returning id, hold, attempt
    ), noted as (
      insert into job_events (job_id, seq, attempt, type) select id, 1, attempt, 'queued' from added
    )
    select id, hold from added`;
  if (!row) throw new Error("the insert returned no row");
  if (row.hold === null) await notifyReady(tx, queue);
  return { jobId: row.id, threadId, decisionSetId: job.decisionSetId ?? null, status: "queued", created: true };
}

/** The job that an owner's idempotency key already has; holds the key until the transaction ends, so that the second of two waits. */
export async function findByKey(
  tx: Tx,
  job: Pick<NewJob, "ownerId" | "idempotencyKey">,
): Promise<EnqueuedJob | undefined> {
  if (job.idempotencyKey === undefined) return undefined;
  await tx`select pg_advisory_xact_lock(hashtextextended(${`key:${job.ownerId}:${job.idempotencyKey}`}, 0))`;
  const [row] = await tx<{ id: string; thread_id: string | null; decision_set_id: string | null; status: JobStatus }[]>`
    select id, thread_id, decision_set_id, status from jobs
    where owner_id = ${job.ownerId} and idempotency_key = ${job.idempotencyKey}`;
  return (
    row && {
      jobId: row.id,
      threadId: row.thread_id,
      decisionSetId: row.decision_set_id,
      status: row.status,
      created: false,
    }
  );
}

function checkJob(job: NewJob): void {
  const whole = (name: string, value: number | undefined, [min, max]: [min: number, max: number]) => {
    if (value !== undefined && (!Number.isInteger(value) || value < min || value > max)) {
      throw new InvalidJobError(`${name} must be a whole number from ${min} to ${max}`);
    }
  };
  whole("priority", job.priority, [INT32_MIN, INT32_MAX]);
  whole("maxRetries", job.maxRetries, [0, 100]);
  whole("timeoutMs", job.timeoutMs, [1, INT32_MAX]);
  whole("delayMs", job.delayMs, [0, Number.MAX_SAFE_INTEGER]);
  if (job.jobType === "" || job.queue === "") throw new InvalidJobError("jobType and queue must not be empty");
  const payload = JSON.stringify(job.payload) as string | undefined;
  if (payload === undefined) throw new InvalidJobError("payload must be a JSON value");
  if (Buffer.byteLength(payload) > MAX_BODY_BYTES) throw new InvalidJobError("payload must have at most 1 MiB as JSON");
  if (payload.includes("\\u0000")) throw new InvalidJobError("payload must not contain NUL characters");
}
