import type { Tx } from "#db";
import { NotFoundError } from "./errors.ts";
import { lockLimit, lockThread } from "./locks.ts";
import type { Hold, JobStatus } from "#shared/job-states";

export interface JobKey {
  ownerId: string;
  jobId: string;
}

export interface LockedJob {
  jobId: string;
  threadId: string | null;
  limitKey: string | null;
  queue: string;
  jobType: string;
  status: JobStatus;
  hold: Hold | null;
  hasDependents: boolean;
  eventSeq: number;
}

/**
 * Locks a job, its thread and its limited key until the transaction ends, and returns the job's state.
 * @throws NotFoundError when the owner has no such job.
 */
export async function lockJob(tx: Tx, { ownerId, jobId }: JobKey): Promise<LockedJob> {
  // A job's thread, queue and limited key never change, so they may be read before the locks; its state may not.
  const [keys] = await tx<{ id: string; thread_id: string | null; limit_key: string | null; queue: string }[]>`
    select id, thread_id, limit_key, queue from jobs where id = ${jobId} and owner_id = ${ownerId}`;
  if (!keys) throw new NotFoundError("Job", jobId);
  await lockThread(tx, keys.thread_id);
  await lockLimit(tx, { queue: keys.queue, limitKey: keys.limit_key });
  const [row] = await tx<
    { status: JobStatus; hold: Hold | null; job_type: string; has_dependents: boolean; event_seq: number }[]
  >`
    select status, hold, job_type, has_dependents, event_seq from jobs where id = ${jobId} for update`;
  if (!row) throw new NotFoundError("Job", jobId);
  return {
    jobId: keys.id,
    threadId: keys.thread_id,
    limitKey: keys.limit_key,
    queue: keys.queue,
    jobType: row.job_type,
    status: row.status,
    hold: row.hold,
    hasDependents: row.has_dependents,
    eventSeq: row.event_seq,
  };
}
