import { UNFLUSHED } from "#db";
import type { ClaimedJob } from "../claimed-job.ts";
import type { ClaimOptions } from "./claim.ts";
import type { Budget } from "#shared/usage";

/*
 * The statements that claim are texts which are put together once: for each claim anew, that would take as long as to
 * send them. In each of them $1 is the worker, $2 how many seconds a lease lasts and $3 the most jobs to take.
 */

/** The first values of a statement that claims. */
export function claimValues({ workerId, leaseMs, limit }: ClaimOptions): unknown[] {
  return [workerId, leaseMs / 1000, limit];
}

/** What a queue is from which jobs are claimed without counting those that run. */
export const OPEN = "not paused and limits ->> 'concurrency' is null";

/** When a lease that is given now ends. */
export const LEASE_END = "clock_timestamp() + make_interval(secs => $2::float8)";

/** What a claim needs of its jobs besides their payloads. */
export const TAKEN_COLUMNS = `jobs.id, jobs.owner_id, jobs.thread_id, jobs.limit_key, jobs.decision_set_id, jobs.job_type,
  jobs.queue, jobs.priority, jobs.attempt, jobs.retry_count, jobs.max_retries, jobs.crash_count, jobs.timeout_ms, jobs.budget, jobs.event_seq,
  jobs.trace_context, jobs.claimed_at, jobs.run_at, jobs.seq`;

/** Gives the jobs of `picked`, a list of their ids and turns, to the worker. */
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
    -- Of one element, not equal: where the planner takes the table for empty, as it does when it was vacuumed before it
    -- was filled, it would as soon walk the whole primary key, in the order of a merge.
    from picked where jobs.id = any(array[picked.id])
    returning ${TAKEN_COLUMNS}, jobs.payload, picked.turn`;

/**
 * One more column of a part that is computed once: the claim commits without waiting for the disk, which takes as long
 * as all the rest of it. A database that crashes before it was written has the job ready, as if it had not been claimed;
 * whatever the attempt has stored by then was stored with it, for a commit that is flushed takes all before it along.
 */
export const COMMITS_UNFLUSHED = `${UNFLUSHED} as unflushed`;

/** What a claim reads of the jobs in `claimed`; JSON comes as text, for the driver's parsers are not ours to rely on. */
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
