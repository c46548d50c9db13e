import type { Executor } from "#db";
import { isOffering } from "./liveness.ts";
import { iso } from "#shared/iso";

/** A job type counts as run for this long after its last worker's heartbeat: a deploy may be replacing the worker. */
const REPLACED_WITHIN_MS = 600_000;

/** A job type of the fleet. */
export interface OfferedType {
  jobType: string;
  description: string | null;
  /** The reason why no worker can run it; null when one can. */
  error: string | null;
  /** The start of the worker that offers it, ISO 8601. */
  startedAt: string;
}

/**
 * The job types that workers offer, by name. Of the workers that offer a type, the newest that can run it counts; if none
 * can, the newest.
 */
export async function listOffers(sql: Executor): Promise<OfferedType[]> {
  const rows = await sql<(Omit<OfferedType, "startedAt"> & { started_at: string })[]>`
    select distinct on (offer."jobType") offer.*, started_at
    from workers cross join lateral
      jsonb_to_recordset(workers.offers) as offer ("jobType" text, description text, error text)
    where ${isOffering(sql)}
    order by offer."jobType", error is not null, started_at desc`;
  return rows.map(({ started_at, ...offer }) => ({ ...offer, startedAt: iso(started_at) }));
}

/** True when a worker that can run the job type had a heartbeat within the last ten minutes. */
export async function isRunSomewhere(sql: Executor, jobType: string): Promise<boolean> {
  const runs = JSON.stringify([{ jobType, error: null }]);
  const rows = await sql`
    select 1 from workers where heartbeat_at > clock_timestamp() - make_interval(secs => ${REPLACED_WITHIN_MS / 1000}::float8)
      and offers @> ${runs}::text::jsonb limit 1`;
  return rows.length > 0;
}
