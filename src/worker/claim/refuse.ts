import type { ClaimedJob, Database } from "#queue";
import { isRunSomewhere } from "#queue/fleet";
import { PermanentError, SnoozeError } from "../errors.ts";
import type { JobHandler } from "../define-job.ts";

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;

/**
 * Returns the error that ends an attempt at a job of an unknown type. If another worker runs the type, as in a rolling
 * deploy, the job is released. Otherwise it fails for good.
 */
export async function refuse(
  job: ClaimedJob,
  { db, handlers }: { db: Database; handlers: ReadonlyMap<string, JobHandler> },
): Promise<SnoozeError | PermanentError> {
  const { jobType } = job;
  // In doubt the job is released: a release costs time, a failure costs the job.
  const isRunElsewhere = await db.call(async (sql) => isRunSomewhere(sql, jobType)).catch(() => true);
  if (!isRunElsewhere) {
    const known = [...handlers.keys()].join(", ");
    return new PermanentError(`Unknown job type ${JSON.stringify(jobType)}: this worker runs ${known}`);
  }
  return new SnoozeError(releaseDelayMs(job), `This worker does not run ${JSON.stringify(jobType)}, but another does`);
}

/** Returns the delay of a job that is released unrun, in milliseconds. It doubles with each uncounted attempt. */
export function releaseDelayMs(job: ClaimedJob, firstMs = FIRST_DELAY_MS): number {
  const delayMs = Math.min(firstMs * 2 ** uncountedAttempts(job), LONGEST_DELAY_MS);
  return delayMs * (0.5 + Math.random() / 2);
}

/** Counts the earlier attempts that used neither a retry nor a crash, such as releases and waits for people. */
export function uncountedAttempts({ attempt, retryCount, crashCount }: ClaimedJob): number {
  return Math.max(attempt - retryCount - crashCount - 1, 0);
}
