import type { Executor } from "#db";
import type { JobKey } from "#queue";
import { getJob, getJobStatus, getJobStatuses } from "#queue/read";
import type { ReplyColumn } from "#queue/read";
import type { JobDetail, JobStatusView } from "#shared/contracts";

/** A turn's reply is the assistant's message of its job; null until the job has completed. */
const reply: ReplyColumn = (sql) =>
  sql`(select content from messages where messages.job_id = jobs.id and role = 'assistant')`;

/**
 * The status of one of the owner's jobs, with its reply.
 * @throws NotFoundError when the owner has no such job.
 */
export function getTurnStatus(sql: Executor, key: JobKey): Promise<JobStatusView> {
  return getJobStatus(sql, key, reply);
}

/** The statuses of jobs with their replies, in the order of their keys; null for a job that its owner does not have. */
export function getTurnStatuses(sql: Executor, keys: readonly JobKey[]): Promise<(JobStatusView | null)[]> {
  return getJobStatuses(sql, keys, reply);
}

/**
 * One of the owner's jobs with its reply, payload, attempts and newest events.
 * @throws NotFoundError when the owner has no such job.
 */
export function getTurn(sql: Executor, key: JobKey): Promise<JobDetail> {
  return getJob(sql, key, reply);
}
