import type { Tx } from "#db";
import { JobConflictError } from "../errors.ts";
import { lockJob } from "../lock-job.ts";
import type { JobKey } from "../lock-job.ts";

/**
 * Takes a dead letter off the list of dead letters. It stays in the history.
 * @throws NotFoundError when the owner has no such job; JobConflictError when the job has not failed.
 */
export async function discard(tx: Tx, key: JobKey): Promise<void> {
  const job = await lockJob(tx, key);
  if (job.status !== "failed")
    throw new JobConflictError(`The job is ${job.status}: only failed jobs can be discarded`);
  await tx`update jobs set discarded_at = coalesce(discarded_at, clock_timestamp()) where id = ${job.jobId}`;
}
