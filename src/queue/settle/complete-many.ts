import { send } from "#db";
import type { Executor } from "#db";
import { toStorableJson } from "../check-job.ts";
import type { Claim } from "../claimed-job.ts";
import { notifyChanged } from "../events/wake.ts";

/** A job that has run, with its result. Completions of one call belong to one worker. */
export interface Completion {
  claim: Claim;
  result: unknown;
}

/**
 * Completes many jobs in one statement: those without thread, limited key and dependents, for which nothing waits.
 * Returns the completions it did not make: other jobs, lost leases, results that cannot be stored. Call `complete` for
 * each of them; it says which.
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
 * The rows (id, attempt, result) of a statement, from the parameters that hold what `findAlone` returns. A result that all
 * jobs share, such as null, is sent once, as a list of one.
 */
export const aloneRows = (ids: string, attempts: string, results: string) => `
      select id, attempt, coalesce(result, (${results}::text[])[1]) as result
      from unnest(${ids}::uuid[], ${attempts}::int[], ${results}::text[]) as given (id, attempt, result)`;

/** The condition that the worker, $1, holds the lease of a row of `jobs` that is joined to `done`, a row of that list. */
export const HELD = `jobs.attempt = done.attempt and jobs.worker_id = $1
      -- coalesce keeps the planner from the lease index, which would read every running job.
      and coalesce(jobs.status = 'running', false) and jobs.lease_expires_at > clock_timestamp() and not jobs.has_dependents`;

const COMPLETE_MANY = `
    update jobs set status = 'completed', result = done.result::jsonb, error_message = null,
      worker_id = null, lease_expires_at = null, completed_at = clock_timestamp()
    from (${aloneRows("$2", "$3", "$4")}) as done
    -- any(array[id]), as in claim-rows.ts, keeps the look-up by primary key.
    where jobs.id = any(array[done.id]) and ${HELD}
    returning jobs.id, jobs.attempt, jobs.event_seq`;

/** The ids, attempts and results, as JSON, of the completions that one statement can make; null when there are none. */
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

/** Notifies readers of the ended jobs and returns the other completions. */
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
