import type { ClaimedJob, Database } from "#queue";
import { isRunSomewhere } from "#queue/fleet";
import { PermanentError, SnoozeError } from "../errors.ts";
import type { JobHandler } from "../define-job.ts";

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;

/**
 * Why a worker does not run a job of a type that it does not know. Where another runs it, as when a new version of the
 * product comes worker by worker, the job goes back without using up a retry; else it fails for good.
 */
export async function refuse(
  job: ClaimedJob,
  { db, handlers }: { db: Database; handlers: ReadonlyMap<string, JobHandler> },
): Promise<SnoozeError | PermanentError> {
  const { jobType } = job;
  // In doubt it goes back: that costs a while, and failing would cost the job.
  const elsewhere = await db.call(async (sql) => isRunSomewhere(sql, jobType)).catch(() => true);
  if (!elsewhere) {
    const known = [...handlers.keys()].join(", ");
    return new PermanentError(`Unknown job type ${JSON.stringify(jobType)}: this worker runs ${known}`);
  }
  return new SnoozeError(putBackDelayMs(job), `This worker does not run ${JSON.stringify(jobType)}, but another does`);
}

/** How long a job that is put back unrun is left alone: longer after each such attempt, for each is a claim for nothing. */
export function putBackDelayMs(job: ClaimedJob, firstMs = FIRST_DELAY_MS): number {
  const delayMs = Math.min(firstMs * 2 ** countUnrun(job), LONGEST_DELAY_MS);
  return delayMs * (0.5 + Math.random() / 2);
}

/** How many attempts before this one used neither a retry nor a crash. */
export function countUnrun({ attempt, retryCount, crashCount }: ClaimedJob): number {
  return Math.max(attempt - retryCount - crashCount - 1, 0);
}
