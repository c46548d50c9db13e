import type { Executor } from "#db";
import { iso, isoOrNull } from "#shared/iso";
import type { PendingQuery, Row } from "postgres";
import type { Interrupt } from "#shared/interrupts";
import type { JobList, JobRow, JobStatusView } from "#shared/contracts";
import type { Usage } from "#shared/usage";
import type { Hold, JobStatus } from "#shared/job-states";
import { UNFINISHED } from "../predicates.ts";

/** The jobs of a page unless the caller gives a limit. */
export const DEFAULT_PAGE_JOBS = 50;

/** The columns of a job that callers see; times are as the database writes them. */
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
  crash_count: number;
  max_crashes: number;
  error_message: string | null;
  progress: JobStatusView["progress"];
  worker_id: string | null;
  lease_expires_at: string | null;
  run_at: string;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  usages: Usage[] | null;
}

export function jobColumns(sql: Executor): PendingQuery<Row[]> {
  return sql`jobs.id, jobs.job_type, jobs.queue, jobs.status, jobs.hold, jobs.thread_id, jobs.decision_set_id, jobs.priority,
    jobs.attempt, jobs.retry_count, jobs.max_retries, jobs.crash_count, jobs.max_crashes, jobs.error_message, jobs.progress, jobs.worker_id,
    jobs.lease_expires_at, jobs.run_at, jobs.created_at, jobs.started_at, jobs.completed_at, ${usagesOf(sql)} as usages`;
}

/** Selects the usage of models by each of a job's attempts. */
export function usagesOf(sql: Executor): PendingQuery<Row[]> {
  return sql`(
    select jsonb_agg(usage) from (
      select usage from job_attempts where job_id = jobs.id and usage is not null
      union all
      -- The attempt that runs or that completed the job has no row.
      select jobs.usage where jobs.usage is not null
        and not exists (select 1 from job_attempts where job_id = jobs.id and attempt = jobs.attempt)
    ) as used
  )`;
}

/** The columns that only the view of one job shows, in addition to its reply. */
export interface DetailColumns {
  interrupts: (Omit<Interrupt, "deadlineAt"> & { deadlineAt: string | null })[] | null;
}

/** Selects the questions of a job that nobody has answered. */
export function detailColumns(sql: Executor): PendingQuery<Row[]> {
  return sql`
    case when jobs.${sql.unsafe(UNFINISHED)} then (
      select jsonb_agg(jsonb_build_object('id', interrupt_id, 'kind', kind, 'value', value, 'schema', schema, 'deadlineAt', deadline_at) order by created_at, interrupt_id)
      from job_interrupts where job_id = jobs.id and answered_at is null
    ) end as interrupts`;
}

/** The sum of usages; null without any. Its cost is null when one of the costs is unknown. */
export function addUsage(usages: readonly Usage[] | null): Usage | null {
  if (usages === null || usages.length === 0) return null;
  return usages.reduce((sum, usage) => ({
    inputTokens: sum.inputTokens + usage.inputTokens,
    outputTokens: sum.outputTokens + usage.outputTokens,
    costUsd: sum.costUsd === null || usage.costUsd === null ? null : sum.costUsd + usage.costUsd,
  }));
}

function toJobRow(row: JobColumns): JobRow {
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
    crashCount: row.crash_count,
    maxCrashes: row.max_crashes,
    error: row.error_message,
    progress: row.progress,
    usage: addUsage(row.usages),
    workerId: row.worker_id,
    leaseExpiresAt: isoOrNull(row.lease_expires_at),
    runAt: iso(row.run_at),
    createdAt: iso(row.created_at),
    startedAt: isoOrNull(row.started_at),
    completedAt: isoOrNull(row.completed_at),
  };
}

/** A page of a list and the cursor of the next one. Read one row more than `limit`, which shows whether there is one. */
export function toJobList(rows: readonly (JobColumns & { seq: string })[], limit: number): JobList {
  const page = rows.slice(0, limit);
  return { jobs: page.map(toJobRow), nextCursor: rows.length > limit ? (page.at(-1)?.seq ?? null) : null };
}

/** The `ilike` pattern of texts that contain a text. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

export function toStatusView(row: JobColumns & DetailColumns & { reply: string | null }): JobStatusView {
  const { queue: _queue, hold: _hold, ...shared } = toJobRow(row);
  const interrupts = (row.interrupts ?? []).map((one) => ({ ...one, deadlineAt: isoOrNull(one.deadlineAt) }));
  return { ...shared, interrupt: interrupts[0] ?? null, interrupts, reply: row.reply };
}
