import type { Executor } from "#db";
import { notifyReady } from "./lock-thread.ts";

const BATCH = 1000;

/**
 * Readies the queued jobs whose time has come. Returns how many, and in how many milliseconds the next is due
 * (null when none is scheduled), both by the database's clock.
 */
export async function promote(sql: Executor): Promise<{ promoted: number; nextDueMs: number | null }> {
  const rows = await sql<{ queue: string }[]>`
    update jobs set hold = null
    where id in (
      select id from jobs where status = 'queued' and hold = 'time' and run_at <= clock_timestamp()
      order by run_at limit ${BATCH} for update skip locked
    )
    returning queue`;
  for (const queue of new Set(rows.map((row) => row.queue))) await notifyReady(sql, queue);
  const [next] = await sql<{ due_ms: number | null }[]>`
    select (extract(epoch from min(run_at) - clock_timestamp()) * 1000)::float8 as due_ms
    from jobs where status = 'queued' and hold = 'time'`;
  return { promoted: rows.length, nextDueMs: next?.due_ms ?? null };
}
