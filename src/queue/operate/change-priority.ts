import type { Tx } from "#db";
import { checkWhole } from "../check-job.ts";
import { JobConflictError } from "../errors.ts";
import { lockJob } from "../lock-job.ts";
import type { JobKey } from "../lock-job.ts";
import { INT32_MAX, INT32_MIN } from "#shared/limits";

/**
 * Changes the priority of a queued job.
 * @throws InvalidJobError when the priority is no int32; NotFoundError when the owner has no such job; JobConflictError
 * when the job is not queued.
 */
export async function changePriority(tx: Tx, key: JobKey, priority: number): Promise<void> {
  checkWhole("priority", priority, [INT32_MIN, INT32_MAX]);
  const job = await lockJob(tx, key);
  if (job.status !== "queued")
    throw new JobConflictError(`The job is ${job.status}: only a queued job's priority can be changed`);
  await tx`update jobs set priority = ${priority} where id = ${job.jobId}`;
}
