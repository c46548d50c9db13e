import type { Tx } from "#db";
import { lockThreads, UNFINISHED } from "#queue";

/**
 * Takes at most `limit` threads that were last used more than `idleMs` ago and have no unfinished job. A thread is taken
 * once after each use. The threads stay locked until the transaction ends, so no turn can begin meanwhile.
 */
export async function takeIdleThreads(tx: Tx, idleMs: number, limit: number): Promise<string[]> {
  const isDue = tx`updated_at < statement_timestamp() - make_interval(secs => ${idleMs / 1000}::float8)
    and (pruned_at is null or pruned_at < updated_at)`;
  // No row lock before the thread's lock: a submit takes them in that order.
  const found = await tx<{ thread_id: string }[]>`
    select thread_id from decision_sets where ${isDue} order by updated_at limit ${limit}`;
  const threadIds = found.map((row) => row.thread_id);
  if (threadIds.length === 0) return [];
  await lockThreads(tx, threadIds);
  const idle = await tx<{ thread_id: string }[]>`
    update decision_sets set pruned_at = clock_timestamp()
    where thread_id = any(${threadIds}::uuid[]) and ${isDue} and not exists (
      select 1 from jobs where jobs.thread_id = decision_sets.thread_id and ${tx.unsafe(UNFINISHED)}
    )
    returning thread_id`;
  return idle.map((row) => row.thread_id);
}
