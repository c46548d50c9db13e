import type { Executor, Tx } from "#db";

export interface Retention {
  /** The time that completed and cancelled jobs are kept after their end, in milliseconds. */
  completedMs: number;
  /** The time that failed jobs are kept after their end, in milliseconds. */
  failedMs: number;
}

/**
 * Deletes jobs that ended longer ago than their retention, with their attempts and events, at most `limit` of them.
 * Conversations keep their messages and decisions. Returns how many jobs it deleted: call it again while that is `limit`.
 */
export async function prune(tx: Tx, { completedMs, failedMs }: Retention, limit = 500): Promise<number> {
  // The index on `completed_at` is a BRIN index: only a bitmap scan can use it.
  await tx`select set_config('enable_bitmapscan', 'on', true)`;
  // statement_timestamp: clock_timestamp changes within the statement, so no index condition may contain it.
  const endedBefore = (keptMs: number) =>
    tx`completed_at < statement_timestamp() - make_interval(secs => ${keptMs / 1000}::float8)`;
  const deleted = await tx`
    delete from jobs where id in (
      select id from jobs
      where (status in ('completed', 'cancelled') and ${endedBefore(completedMs)}) or (status = 'failed' and ${endedBefore(failedMs)})
      limit ${limit} for update skip locked
    )`;
  return deleted.count;
}

/** Deletes the rate accounts of limited keys that were unused for a day, at most 1,000; such a key gets a new account. */
export async function pruneLimitKeys(sql: Executor): Promise<void> {
  await sql`
    delete from limit_keys where (queue, key) in (
      select queue, key from limit_keys
      where admit_at is null and arrival_at < clock_timestamp() - interval '1 day' limit 1000 for update skip locked
    )`;
}

/** Deletes the entries of workers that stopped more than an hour ago or were last seen more than a day ago. */
export async function pruneWorkers(sql: Executor): Promise<void> {
  await sql`
    delete from workers where heartbeat_at < clock_timestamp() - interval '1 day'
      or (state = 'stopped' and heartbeat_at < clock_timestamp() - interval '1 hour')`;
}
