import { send } from "#db";
import type { Executor } from "#db";
import { toStorableJson } from "../check-job.ts";
import type { Claim } from "../claimed-job.ts";
import { notifyChanged } from "../events/wake.ts";

/** A job that has run, with what it returned; those that end together are one worker's. */
export interface Completion {
  claim: Claim;
  result: unknown;
}

/**
 * Ends many jobs well in one statement: those of no thread, no limited key and no dependents, which nothing waits for.
 * Returns the claims it did not end, because they are of the others, have lost their lease or have a result that cannot
 * be stored: `complete` tells which.
 */
export async function completeMany<T extends Completion>(sql: Executor, completions: readonly T[]): Promise<T[]> {
  const alone = findAlone(completions);
  if (!alone) return [...completions];
  const values = [completions[0]?.claim.workerId, ...alone];
  const ended = await send<EndedRow[]>(sql, { text: COMPLETE_MANY, values });
  return leftOver(sql, completions, ended);
}

export interface EndedRow {
  id: string;
  attempt: number;
  event_seq: number;
}

/**
 * A list of (id, attempt, result) in a statement, of the parameters that have what `findAlone` returns. Most jobs leave no
 * result: what is the same for all of them is sent once, as the first element of a list of one.
 */
export const aloneRows = (ids: string, attempts: string, results: string) => `
      select id, attempt, coalesce(result, (${results}::text[])[1]) as result
      from unnest(${ids}::uuid[], ${attempts}::int[], ${results}::text[]) as given (id, attempt, result)`;

/** Whether the worker, $1, still holds the lease of a row of `jobs` that is joined to one of that list, named `done`. */
export const HELD = `jobs.attempt = done.attempt and jobs.worker_id = $1
      -- coalesce: so that the lease index is no way to find them.
      and coalesce(jobs.status = 'running', false) and jobs.lease_expires_at > clock_timestamp() and not jobs.has_dependents`;

const COMPLETE_MANY = `
    update jobs set status = 'completed', result = done.result::jsonb, error_message = null,
      worker_id = null, lease_expires_at = null, completed_at = clock_timestamp()
    from (${aloneRows("$2", "$3", "$4")}) as done
    -- any, as in claim-rows.ts: so that each job is looked up by its id, never all running ones for each of them.
    where jobs.id = any(array[done.id]) and ${HELD}
    returning jobs.id, jobs.attempt, jobs.event_seq`;

/** The ids, attempts and results, as JSON, of the completions that may be made together; null where there are none. */
export function findAlone(
  completions: readonly Completion[],
): [ids: string[], attempts: number[], results: string[]] | null {
  const alone = completions.flatMap(({ claim, result }) => {
    if (claim.threadId !== null || claim.limitKey !== null) return [];
    const json = tryJson(result ?? null);
    return json === undefined ? [] : [{ claim, json }];
  });
  const [first] = alone;
  if (!first) return null;
  const isSame = alone.every(({ json }) => json === first.json);
  return [
    alone.map(({ claim }) => claim.jobId),
    alone.map(({ claim }) => claim.attempt),
    isSame ? [first.json] : alone.map(({ json }) => json),
  ];
}

/** Tells of those that were ended, and gives the others. */
export async function leftOver<T extends Completion>(
  sql: Executor,
  completions: readonly T[],
  ended: readonly EndedRow[],
): Promise<T[]> {
  for (const row of ended) await notifyChanged(sql, { jobId: row.id, threadId: null, eventSeq: row.event_seq });
  if (ended.length === completions.length) return [];
  const keys = new Set(ended.map((row) => `${row.id}:${row.attempt}`));
  return completions.filter(({ claim }) => !keys.has(`${claim.jobId}:${claim.attempt}`));
}

function tryJson(result: unknown): string | undefined {
  try {
    return toStorableJson("result", result);
  } catch {
    return undefined;
  }
}
