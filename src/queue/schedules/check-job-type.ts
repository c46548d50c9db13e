import type { Executor } from "#db";
import { InvalidScheduleError } from "../errors.ts";
import { listOffers } from "../fleet/list-offers.ts";

/**
 * Checks that a worker runs a job type. Without any known type every one passes: the fleet has never run, and its
 * schedules may be made before it starts.
 * @throws InvalidScheduleError naming the known types, or the reason why this one cannot be run.
 */
export async function checkJobType(sql: Executor, jobType: string): Promise<void> {
  const offers = await listOffers(sql);
  if (offers.length === 0) return;
  const found = offers.find((offer) => offer.jobType === jobType);
  if (found && found.error === null) return;
  if (found) throw new InvalidScheduleError(`jobType ${JSON.stringify(jobType)} cannot be run: ${found.error}`);
  const known = offers.filter(({ error }) => error === null).map((offer) => offer.jobType);
  throw new InvalidScheduleError(
    `jobType ${JSON.stringify(jobType)} is run by no worker: use ${known.join(", ")}, or start a worker that runs it first`,
  );
}
