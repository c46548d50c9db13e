import type { Executor } from "#db";

/** The right to run one job: `(jobId, attempt)` is the fencing token that every write on the job's behalf carries. */
export interface Claim {
  jobId: string;
  attempt: number;
  workerId: string;
  /** Null for a job of no thread. */
  threadId: string | null;
}

export interface ClaimedJob extends Claim {
  ownerId: string;
  decisionSetId: string | null;
  jobType: string;
  queue: string;
  priority: number;
  payload: unknown;
  retryCount: number;
  maxRetries: number;
  /** Null where the job type's own or the default timeout applies. */
  timeoutMs: number | null;
}

export interface ClaimOptions {
  workerId: string;
  /** The most jobs to take, at least 1. */
  limit: number;
  leaseMs: number;
}

/**
 * Takes ready jobs: higher priority first, then older first; none that another worker holds. Empty when none is ready.
 * Safe to send again: a claim whose answer was lost is reaped when its lease expires.
 */
export async function claim(sql: Executor, options: ClaimOptions): Promise<ClaimedJob[]> {
  const rows = await sql<ClaimRow[]>`
    with picked as materialized (
      select ready.id
      from queues
      -- One ordered index scan a queue, ended by its limit: what is finished, held or running is not in the index.
      cross join lateral (
        select id, priority, seq from jobs
        where queue = queues.name and status = 'queued' and hold is null
        order by priority desc, seq
        limit ${options.limit}
        for update skip locked
      ) ready
      where not queues.paused
      order by ready.priority desc, ready.seq
      limit ${options.limit}
    ), claimed as (
      update jobs set
        status = 'running',
        attempt = jobs.attempt + 1,
        worker_id = ${options.workerId},
        lease_expires_at = clock_timestamp() + make_interval(secs => ${options.leaseMs / 1000}::float8),
        started_at = coalesce(jobs.started_at, clock_timestamp()),
        event_seq = jobs.event_seq + 1
      from picked where jobs.id = picked.id
      returning jobs.*
    ), recorded as (
      insert into job_attempts (job_id, attempt, worker_id, started_at)
      select id, attempt, worker_id, clock_timestamp() from claimed
    ), noted as (
      insert into job_events (job_id, seq, attempt, type, data)
      select id, event_seq, attempt, 'started', jsonb_build_object('workerId', worker_id) from claimed
    )
    select id, owner_id, thread_id, decision_set_id, job_type, queue, priority, payload::text as payload, attempt, worker_id,
      retry_count, max_retries, timeout_ms
    from claimed order by priority desc, seq`;
  return rows.map((row) => ({
    jobId: row.id,
    attempt: row.attempt,
    workerId: row.worker_id,
    threadId: row.thread_id,
    ownerId: row.owner_id,
    decisionSetId: row.decision_set_id,
    jobType: row.job_type,
    queue: row.queue,
    priority: row.priority,
    payload: JSON.parse(row.payload) as unknown,
    retryCount: row.retry_count,
    maxRetries: row.max_retries,
    timeoutMs: row.timeout_ms,
  }));
}

interface ClaimRow {
  id: string;
  owner_id: string;
  thread_id: string | null;
  decision_set_id: string | null;
  job_type: string;
  queue: string;
  priority: number;
  payload: string;
  attempt: number;
  worker_id: string;
  retry_count: number;
  max_retries: number;
  timeout_ms: number | null;
}
