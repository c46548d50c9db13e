import { send } from "#db";
import type { Executor } from "#db";
import { toStorableJson } from "../check-job.ts";
import { claimKey } from "../claimed-job.ts";
import type { Claim } from "../claimed-job.ts";
import { notifyChanged } from "../events/notices.ts";

/** A job that has run, with its result. Completions of one call belong to one worker. */
export interface Completion {
  claim: Claim;
  result: unknown;
}

/**
 * Completes many independent jobs in one statement: without a thread, limited key and dependents, their end readies no
 * other job. Returns the completions it did not make: other jobs, lost leases, results that cannot be stored. Call
 * `complete` for each: it makes the completion or throws the reason.
 */
export async function completeMany<T extends Completion>(sql: Executor, completions: readonly T[]): Promise<T[]> {
  const independent = findIndependent(completions);
  if (!independent) return [...completions];
  const values = [completions[0]?.claim.workerId, ...independent];
  const ended = await send<CompletedRow[]>(sql, { text: COMPLETE_MANY, values });
  return notifyEnded(sql, completions, ended);
}

interface CompletedRow {
  id: string;
  attempt: number;
  event_seq: number;
}

/**
 * Selects (id, attempt, result) of each completion from the parameters that `findIndependent` returns. A result that all
 * jobs share, such as null, is sent once, as a list of one.
 */
export const independentRows = (ids: string, attempts: string, results: string) => `
      select id, attempt, coalesce(result, (${results}::text[])[1]) as result
      from unnest(${ids}::uuid[], ${attempts}::int[], ${results}::text[]) as given (id, attempt, result)`;

/** The condition that worker $1 holds the lease of a row of `jobs`, which is joined to its row in `done`. */
export const HELD = `jobs.attempt = done.attempt and jobs.worker_id = $1
      -- coalesce keeps the planner from the lease index, which would read every running job.
      and coalesce(jobs.status = 'running', false) and jobs.lease_expires_at > clock_timestamp() and not jobs.has_dependents`;

const COMPLETE_MANY = `
    update jobs set status = 'completed', result = done.result::jsonb, error_message = null,
      worker_id = null, lease_expires_at = null, completed_at = clock_timestamp()
    from (${independentRows("$2", "$3", "$4")}) as done
    -- any(array[id]), as in claim-rows.ts, keeps the look-up by primary key.
    where jobs.id = any(array[done.id]) and ${HELD}
    returning jobs.id, jobs.attempt, jobs.event_seq`;

/** The ids, attempts and results (as JSON) of the completions that one statement can make; null when there are none. */
export function findIndependent(
  completions: readonly Completion[],
): [ids: string[], attempts: number[], results: string[]] | null {
  const found = completions.flatMap(({ claim, result }) => {
    if (claim.threadId !== null || claim.limitKey !== null) return [];
    const json = tryJson(result ?? null);
    return json === undefined ? [] : [{ claim, json }];
  });
  const [first] = found;
  if (!first) return null;
  const isSame = found.every(({ json }) => json === first.json);
  return [
    found.map(({ claim }) => claim.jobId),
    found.map(({ claim }) => claim.attempt),
    isSame ? [first.json] : found.map(({ json }) => json),
  ];
}

/** Notifies readers of the ended jobs and returns the other completions. */
export async function notifyEnded<T extends Completion>(
  sql: Executor,
  completions: readonly T[],
  ended: readonly CompletedRow[],
): Promise<T[]> {
  for (const row of ended) await notifyChanged(sql, { jobId: row.id, threadId: null, eventSeq: row.event_seq });
  if (ended.length === completions.length) return [];
  const keys = new Set(ended.map(({ id: jobId, attempt }) => claimKey({ jobId, attempt })));
  return completions.filter(({ claim }) => !keys.has(claimKey(claim)));
}

function tryJson(result: unknown): string | undefined {
  try {
    return toStorableJson("result", result);
  } catch {
    return undefined;
  }
}
