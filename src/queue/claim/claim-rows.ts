import { UNFLUSHED } from "#db";
import type { ClaimedJob } from "../claimed-job.ts";
import type { Budget } from "#shared/usage";

export interface ClaimOptions {
  workerId: string;
  /** The most jobs to take, at least 1. */
  limit: number;
  leaseMs: number;
  /** The owner served last, so that the next owner takes its turn: `lastOwner` of the previous claim. */
  afterOwner?: string | undefined;
  /** The only line that was ready: `line` of the previous claim. */
  line?: Line | undefined;
}

export interface Claimed {
  /** Higher priority first, then older first. */
  jobs: ClaimedJob[];
  /** True when more jobs were ready than taken, as far as this claim could see without waiting for other claims. */
  more: boolean;
  /** Pass it to the next claim. If nothing was claimed, it is the previous claim's. */
  lastOwner: string | undefined;
  /** The line of all ready jobs of the highest priority; undefined when there are several lines. Pass it to the next claim. */
  line: Line | undefined;
  /** True when it committed without a flush: call `flushClaims`. */
  unflushed: boolean;
}

/** The ready jobs of one owner at one priority of a queue; they are claimed in submit order. */
export interface Line {
  queue: string;
  priority: number;
  ownerId: string;
}

/*
 * The claiming statements are texts that are built once: building one takes as long as sending it. In each of them $1 is
 * the worker, $2 the lease in seconds and $3 the most jobs to take.
 */

/** The first values of a claiming statement. */
export function claimValues({ workerId, leaseMs, limit }: ClaimOptions): unknown[] {
  return [workerId, leaseMs / 1000, limit];
}

/** The condition on a queue that has no limit of running jobs. */
export const OPEN = "not paused and limits ->> 'concurrency' is null";

/** The end of a lease that starts now. */
export const LEASE_END = "clock_timestamp() + make_interval(secs => $2::float8)";

/** The columns of a claimed job, without its payload. */
export const TAKEN_COLUMNS = `jobs.id, jobs.owner_id, jobs.thread_id, jobs.limit_key, jobs.decision_set_id, jobs.job_type,
  jobs.queue, jobs.priority, jobs.attempt, jobs.retry_count, jobs.max_retries, jobs.crash_count, jobs.timeout_ms, jobs.budget, jobs.event_seq,
  jobs.trace_context, jobs.claimed_at, jobs.run_at, jobs.seq`;

/** Assigns the jobs of the CTE `picked` (id, turn) to the worker. */
export const TAKE_PICKED = `
    update jobs set
      status = 'running',
      attempt = jobs.attempt + 1,
      worker_id = $1,
      last_worker_id = $1,
      lease_expires_at = ${LEASE_END},
      claimed_at = clock_timestamp(),
      usage = null,
      started_at = coalesce(jobs.started_at, clock_timestamp())
    -- any(array[id]) rather than = id: with the statistics of an empty table the planner would merge-join over the whole
    -- primary key.
    from picked where jobs.id = any(array[picked.id])
    returning ${TAKEN_COLUMNS}, jobs.payload, picked.turn`;

/**
 * A column that makes the claim commit without a flush, which would double its time. After a crash of the database an
 * unflushed claim is undone and its job is ready again. No write of the attempt can survive without it: a later flushed
 * commit flushes everything before it.
 */
export const COMMITS_UNFLUSHED = `${UNFLUSHED} as unflushed`;

/** The columns that a claim returns from the CTE `claimed`. JSON comes as text: callers may have changed the driver's parsers. */
export const CLAIMED_COLUMNS = `claimed.id, claimed.owner_id, claimed.thread_id, claimed.limit_key, claimed.decision_set_id, claimed.job_type,
    claimed.queue, claimed.priority, claimed.payload::text as payload, claimed.attempt, claimed.retry_count, claimed.max_retries, claimed.crash_count,
    claimed.timeout_ms, claimed.budget, claimed.event_seq, claimed.trace_context::text as trace_context, claimed.turn,
    case when claimed.trace_context is not null then extract(epoch from claimed.claimed_at - claimed.run_at) * 1000 end::float8 as waited_ms`;

export interface ClaimRow {
  id: string;
  owner_id: string;
  thread_id: string | null;
  limit_key: string | null;
  decision_set_id: string | null;
  job_type: string;
  queue: string;
  priority: number;
  payload: string;
  attempt: number;
  retry_count: number;
  max_retries: number;
  crash_count: number;
  timeout_ms: number | null;
  budget: Budget | null;
  event_seq: number;
  trace_context: string | null;
  waited_ms: number | null;
}

export function toClaimedJob(row: ClaimRow, workerId: string): ClaimedJob {
  return {
    jobId: row.id,
    attempt: row.attempt,
    workerId,
    threadId: row.thread_id,
    limitKey: row.limit_key,
    ownerId: row.owner_id,
    decisionSetId: row.decision_set_id,
    jobType: row.job_type,
    queue: row.queue,
    priority: row.priority,
    payload: JSON.parse(row.payload) as unknown,
    retryCount: row.retry_count,
    maxRetries: row.max_retries,
    crashCount: row.crash_count,
    timeoutMs: row.timeout_ms,
    budget: row.budget,
    eventSeq: row.event_seq,
    waitedMs: row.waited_ms,
    traceContext: row.trace_context === null ? null : (JSON.parse(row.trace_context) as Record<string, string>),
  };
}
