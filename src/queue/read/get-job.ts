import type { Executor } from "#db";
import { iso, isoOrNull } from "#shared/iso";
import { NotFoundError } from "../errors.ts";
import { closingEvent } from "../events/closing-event.ts";
import type { JobKey } from "../lock-job.ts";
import { detailColumns, jobColumns, toStatusView } from "./job-view.ts";
import type { DetailColumns, JobColumns } from "./job-view.ts";
import type { PendingQuery, Row } from "postgres";
import type { Attempt, JobDetail, JobEvent, JobStatusView } from "#shared/contracts";
import type { Usage } from "#shared/usage";

const NEWEST_EVENTS = 500;

/** Selects a job's reply as text; given by callers, because the queue knows no messages. */
export type ReplyColumn = (sql: Executor) => PendingQuery<Row[]>;

const noReply: ReplyColumn = (sql) => sql`null::text`;

/**
 * The status of one of the owner's jobs; its reply is null without a `reply` column.
 * @throws NotFoundError when the owner has no such job.
 */
export async function getJobStatus(sql: Executor, key: JobKey, reply = noReply): Promise<JobStatusView> {
  return toStatusView(await readJob(sql, key, reply));
}

/** The statuses of jobs in the order of their keys, read in one statement; null when the owner has no such job. */
export async function getJobStatuses(
  sql: Executor,
  keys: readonly JobKey[],
  reply = noReply,
): Promise<(JobStatusView | null)[]> {
  const rows = await sql<(StatusColumns & { place: number })[]>`
    select asked.place::int as place, ${statusColumns(sql, reply)}
    from unnest(${keys.map((key) => key.ownerId)}::text[], ${keys.map((key) => key.jobId)}::uuid[])
      with ordinality as asked (owner_id, job_id, place)
    join jobs on jobs.id = asked.job_id and jobs.owner_id = asked.owner_id`;
  const found = new Map(rows.map((row) => [row.place, toStatusView(row)]));
  return keys.map((_key, index) => found.get(index + 1) ?? null);
}

/**
 * One of the owner's jobs with its payload, attempts and newest 500 events, oldest first.
 * @throws NotFoundError when the owner has no such job.
 */
export async function getJob(sql: Executor, key: JobKey, reply = noReply): Promise<JobDetail> {
  const { jobId } = key;
  const job = await readJob(sql, key, reply);
  const attempts = await sql<Attempt[]>`
    select attempt, worker_id as "workerId", started_at as "startedAt", ended_at as "endedAt", outcome,
      error_name as "errorName", error_message as "errorMessage", error_stack as "errorStack", usage
    from job_attempts where job_id = ${jobId} order by attempt`;
  const events = await sql<JobEvent[]>`
    select seq, attempt, type, data, created_at as "createdAt" from job_events
    where job_id = ${jobId} order by seq desc limit ${NEWEST_EVENTS}`;
  return {
    ...toStatusView(job),
    queue: job.queue,
    hold: job.hold,
    payload: job.payload,
    result: job.result,
    attempts: [
      ...attempts.map((row) => ({ ...row, startedAt: iso(row.startedAt), endedAt: isoOrNull(row.endedAt) })),
      ...currentAttempt(job, attempts.at(-1)?.attempt ?? 0),
    ],
    events: [...events.map((row) => ({ ...row, createdAt: iso(row.createdAt) })).toReversed(), ...closingEvent(job)],
  };
}

/** The running or completed attempt, from the job's own columns. Other attempts have a row of their own. */
function currentAttempt(job: JobDetailColumns, recorded: number): Attempt[] {
  if (job.attempt <= recorded || job.claimed_at === null || job.last_worker_id === null) return [];
  if (job.status !== "running" && job.status !== "completed") return [];
  return [
    {
      attempt: job.attempt,
      workerId: job.last_worker_id,
      startedAt: iso(job.claimed_at),
      endedAt: isoOrNull(job.completed_at),
      outcome: job.status === "completed" ? "completed" : null,
      errorName: null,
      errorMessage: null,
      errorStack: null,
      usage: job.usage,
    },
  ];
}

interface StatusColumns extends JobColumns, DetailColumns {
  reply: string | null;
}

interface JobDetailColumns extends StatusColumns {
  payload: unknown;
  result: unknown;
  claimed_at: string | null;
  last_worker_id: string | null;
  event_seq: number;
  usage: Usage | null;
}

function statusColumns(sql: Executor, reply: ReplyColumn) {
  return sql`${jobColumns(sql)}, ${detailColumns(sql)}, ${reply(sql)} as reply`;
}

async function readJob(sql: Executor, { ownerId, jobId }: JobKey, reply: ReplyColumn) {
  const [row] = await sql<JobDetailColumns[]>`
    select ${statusColumns(sql, reply)}, jobs.payload, jobs.result, jobs.claimed_at, jobs.last_worker_id, jobs.event_seq, jobs.usage
    from jobs where id = ${jobId} and owner_id = ${ownerId}`;
  if (!row) throw new NotFoundError("Job", jobId);
  return row;
}
