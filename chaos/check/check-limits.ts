import type { Database } from "#queue";
import { groupBy } from "./group-by.ts";
import type { Evidence } from "./check-history.ts";
import { retryTransaction } from "../retry-transaction.ts";
import { NARROW_LIMIT, NARROW_QUEUE, KEY_LIMIT } from "../load-facts.ts";

/** The time of a claim, or of a run of a handler. */
interface Span {
  queue: string;
  limitKey: string | null;
  from: number;
  to: number;
}

const CLAIMS = "a limit never has more concurrent claims than it allows";
const HANDLERS = "a limit never has more concurrent handlers than it allows";

/**
 * Checks the limits twice: by the claims in the tables and by the history of the handlers. Only handlers of a completed
 * or failed attempt count, because they held their lease to the end. A handler without its lease may run on for a while.
 */
export async function checkLimits(db: Database, { runs, jobs }: Evidence): Promise<Record<string, string[]>> {
  const claims = await readClaims(db);
  const ended = runs.filter(({ jobId, attempt }) => {
    const job = jobs.get(jobId);
    const outcome = job?.outcomes[attempt] ?? (job?.attempt === attempt ? job.status : "");
    return outcome === "completed" || outcome === "failed";
  });
  const handlers = ended.flatMap(({ queue, limitKey, startMs, endMs }) =>
    endMs === null ? [] : [{ queue, limitKey, from: startMs, to: endMs }],
  );
  return { [CLAIMS]: findOverLimits(claims), [HANDLERS]: findOverLimits(handlers) };
}

/** Reads the span of each attempt by the database's clock, from its claim until it was settled or reaped. */
async function readClaims(db: Database): Promise<Span[]> {
  return retryTransaction(
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

/** Finds the moments with more concurrent spans than the limit of a key or of the narrow queue. */
export function findOverLimits(spans: readonly Span[]): string[] {
  const overLimits: string[] = [];
  for (const [limit, found] of groupBy(spans, limitOf)) {
    const allowed = limit === NARROW_QUEUE ? NARROW_LIMIT : KEY_LIMIT;
    for (const { from } of limit === null ? [] : found) {
      const count = found.filter((other) => other.from <= from && from < other.to).length;
      if (count > allowed) overLimits.push(`${limit} had ${count} at once, and ${allowed} are allowed`);
    }
  }
  return overLimits;
}

function limitOf({ queue, limitKey }: Span): string | null {
  return queue === NARROW_QUEUE ? NARROW_QUEUE : limitKey;
}
