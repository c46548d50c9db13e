import type { PendingQuery, Row } from "postgres";
import type { Executor } from "#db";
import type { JobRow, JobStatusView } from "#shared/contracts";
import type { Hold, JobStatus } from "#shared/job-states";

/** The columns of a job that callers see, as the JSON text of `to_jsonb`, so that every timestamp is ISO 8601. */
export interface JobColumns {
  id: string;
  job_type: string;
  queue: string;
  status: JobStatus;
  hold: Hold | null;
  thread_id: string | null;
  decision_set_id: string | null;
  priority: number;
  attempt: number;
  retry_count: number;
  max_retries: number;
  error_message: string | null;
  progress: JobStatusView["progress"];
  interrupt: JobStatusView["interrupt"];
  worker_id: string | null;
  lease_expires_at: string | null;
  run_at: string;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
}

/** Selects a job's visible columns; JSON comes as text, for the driver's parsers are not ours to rely on. */
export function jobColumns(sql: Executor): PendingQuery<Row[]> {
  return sql`jobs.id, jobs.job_type, jobs.queue, jobs.status, jobs.hold, jobs.thread_id, jobs.decision_set_id, jobs.priority,
    jobs.attempt, jobs.retry_count, jobs.max_retries, jobs.error_message, jobs.progress, jobs.interrupt, jobs.worker_id,
    jobs.lease_expires_at, jobs.run_at, jobs.created_at, jobs.started_at, jobs.completed_at`;
}

/** A timestamp of the database as ISO 8601 in UTC. */
export function iso(value: string | Date): string {
  return new Date(value).toISOString();
}

/** The same for a column that may be null. */
export function isoOrNull(value: string | Date | null): string | null {
  return value === null ? null : iso(value);
}

/** One row of `jobs.list`. */
export function toJobRow(row: JobColumns): JobRow {
  return {
    jobId: row.id,
    jobType: row.job_type,
    queue: row.queue,
    status: row.status,
    hold: row.hold,
    threadId: row.thread_id,
    decisionSetId: row.decision_set_id,
    priority: row.priority,
    attempt: row.attempt,
    retryCount: row.retry_count,
    maxRetries: row.max_retries,
    error: row.error_message,
    progress: row.progress,
    workerId: row.worker_id,
    leaseExpiresAt: isoOrNull(row.lease_expires_at),
    runAt: iso(row.run_at),
    createdAt: iso(row.created_at),
    startedAt: isoOrNull(row.started_at),
    completedAt: isoOrNull(row.completed_at),
  };
}

/** The shape of `jobs.status`. */
export function toStatusView(row: JobColumns & { reply: string | null }): JobStatusView {
  const { queue: _queue, hold: _hold, ...shared } = toJobRow(row);
  return { ...shared, interrupt: row.interrupt, reply: row.reply };
}
