import { isRunSomewhere } from "#queue";
import type { ClaimedJob, Database } from "#queue";
import { PermanentError, SnoozeError } from "./errors.ts";
import type { JobHandler } from "./define-job.ts";

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;

/**
 * Why a worker does not run a job of a type that it does not know. Where another runs it, as when a new version of the
 * product comes worker by worker, the job goes back without using up a retry; else it fails for good.
 */
export async function refuse(
  { jobType, attempt, retryCount }: ClaimedJob,
  { db, handlers }: { db: Database; handlers: ReadonlyMap<string, JobHandler> },
): Promise<SnoozeError | PermanentError> {
  // In doubt it goes back: that costs a while, and failing would cost the job.
  const elsewhere = await db.call(async (sql) => isRunSomewhere(sql, jobType)).catch(() => true);
  if (!elsewhere) {
    const known = [...handlers.keys()].join(", ");
    return new PermanentError(`Unknown job type ${JSON.stringify(jobType)}: this worker runs ${known}`);
  }
  // The more attempts that used no retry, the longer: each is a claim that others could not make meanwhile.
  const delayMs = Math.min(FIRST_DELAY_MS * 2 ** (attempt - retryCount - 1), LONGEST_DELAY_MS);
  return new SnoozeError(
    delayMs * (0.5 + Math.random() / 2),
    `This worker does not run ${JSON.stringify(jobType)}, but another does`,
  );
}
