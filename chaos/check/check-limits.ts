import type { Database } from "#queue";
import { groupBy } from "./group-by.ts";
import type { Evidence } from "./check-history.ts";
import { insist } from "../retry-transaction.ts";
import { NARROW_PLACES, NARROW_QUEUE, PLACES } from "../load-facts.ts";

/** A time during which an attempt was claimed, or its handler ran. */
interface Span {
  queue: string;
  limitKey: string | null;
  from: number;
  to: number;
}

const CLAIMS = "a limit never has more claims at once than places";
const HANDLERS = "a limit never has more handlers running at once than places";

/**
 * Judges the limits twice: by the claims in the tables, and by the handlers' own history. Of the handlers, only those
 * whose attempt completed or failed count: these held their lease from their beginning to their end, whereas one that
 * has lost its lease may run on for a while.
 */
export async function checkLimits(db: Database, { runs, jobs }: Evidence): Promise<Record<string, string[]>> {
  const claims = await readClaims(db);
  const ended = runs.filter(({ jobId, attempt }) => {
    const job = jobs.get(jobId);
    const outcome = job?.outcomes[attempt] ?? (job?.attempt === attempt ? job.status : "");
    return outcome === "completed" || outcome === "failed";
  });
  const handlers = ended.flatMap(({ queue, limitKey, beginMs, endMs }) =>
    endMs === null ? [] : [{ queue, limitKey, from: beginMs, to: endMs }],
  );
  return { [CLAIMS]: findCrowds(claims), [HANDLERS]: findCrowds(handlers) };
}

/** When each attempt held its place, by the database's clock: from its claim until it was settled or reaped. */
async function readClaims(db: Database): Promise<Span[]> {
  return insist(
    db,
    async (tx) => tx<Span[]>`
      with claims as (
        select queue, limit_key, job_attempts.started_at, ended_at from job_attempts join jobs on jobs.id = job_id
        union all
        select queue, limit_key, claimed_at, completed_at from jobs where status = 'completed'
      )
      select queue, limit_key as "limitKey", (extract(epoch from started_at) * 1000)::float8 as from,
        (extract(epoch from ended_at) * 1000)::float8 as to from claims`,
  );
}

/** The moments at which a limited key or the narrow queue had more spans than places. */
export function findCrowds(spans: readonly Span[]): string[] {
  const crowds: string[] = [];
  for (const [limit, found] of groupBy(spans, limitOf)) {
    const places = limit === NARROW_QUEUE ? NARROW_PLACES : PLACES;
    for (const { from } of limit === null ? [] : found) {
      const count = found.filter((other) => other.from <= from && from < other.to).length;
      if (count > places) crowds.push(`${limit} had ${count} at once, and ${places} are allowed`);
    }
  }
  return crowds;
}

function limitOf({ queue, limitKey }: Span): string | null {
  return queue === NARROW_QUEUE ? NARROW_QUEUE : limitKey;
}
