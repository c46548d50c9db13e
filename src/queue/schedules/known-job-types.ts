import type { Executor } from "#db";
import { InvalidScheduleError } from "../errors.ts";
import { isOffering } from "../fleet/register-worker.ts";

/**
 * Checks that a worker runs a job type. Without any known type every one passes: the fleet has never run, and its
 * schedules may be made before it starts.
 * @throws InvalidScheduleError naming the known types, or the reason why this one cannot be run.
 */
export async function checkJobType(sql: Executor, jobType: string): Promise<void> {
  const offers = await sql<{ type: string; error: string | null }[]>`
    select distinct on (type) offer."jobType" as type, offer.error
    from workers cross join lateral jsonb_to_recordset(workers.offers) as offer ("jobType" text, error text)
    where ${isOffering(sql)}
    order by type, offer.error is not null`;
  if (offers.length === 0) return;
  const found = offers.find(({ type }) => type === jobType);
  if (found && found.error === null) return;
  if (found) throw new InvalidScheduleError(`jobType ${JSON.stringify(jobType)} cannot be run: ${found.error}`);
  const known = offers.filter(({ error }) => error === null).map(({ type }) => type);
  throw new InvalidScheduleError(
    `jobType ${JSON.stringify(jobType)} is run by no worker: use ${known.join(", ")}, or start a worker that runs it first`,
  );
}
