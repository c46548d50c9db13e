import type { Executor, Tx } from "#db";
import { notifyReady } from "../events/notices.ts";
import { admitSoon } from "./admit.ts";
import type { PendingQuery, Row } from "postgres";

/**
 * Why a queued job at its thread's head is not ready yet; null when it is ready. A job with a limited key is held until
 * `admit` gives it a slot. An update that sets one of these columns passes the new value, as an SQL expression.
 */
export function nextHold(sql: Executor, columns: { runAt?: Fragment; pending?: Fragment } = {}): Fragment {
  const { runAt = sql`jobs.run_at`, pending = sql`jobs.pending_dependencies` } = columns;
  return sql`case
    when ${pending} > 0 then 'dependency'::job_hold
    when ${runAt} > clock_timestamp() then 'time'::job_hold
    when jobs.limit_key is not null then 'limit'::job_hold
  end`;
}

/** `nextHold` of a row of `jobs` as it is, for statements that are built as text. */
export const NEXT_HOLD = `case
    when jobs.pending_dependencies > 0 then 'dependency'::job_hold
    when jobs.run_at > clock_timestamp() then 'time'::job_hold
    when jobs.limit_key is not null then 'limit'::job_hold
  end`;

type Fragment = PendingQuery<Row[]>;

/** A job whose hold has changed. */
export interface Readied {
  queue: string;
  limit_key: string | null;
  hold: string | null;
}

/** Wakes the workers for jobs that are ready or held for a time, and requests admission for jobs with limited keys. */
export async function dispatch(tx: Executor, jobs: readonly Readied[]): Promise<void> {
  const awaited = jobs.filter((job) => job.hold === null || job.hold === "time").map((job) => job.queue);
  for (const queue of new Set(awaited)) await notifyReady(tx, queue);
  const limited = jobs.filter((job) => job.hold === "limit");
  await admitSoon(
    tx,
    limited.map(({ queue, limit_key: limitKey }) => ({ queue, limitKey })),
  );
}

/** Makes the oldest job behind a thread's head the new head. Call it with the thread locked, after the head has ended. */
export async function readyNextInThread(tx: Tx, threadId: string | null): Promise<void> {
  if (threadId === null) return;
  await dispatch(tx, await tx<Readied[]>`${readyNext(tx, threadId)} returning queue, limit_key, hold`);
}

/** The update behind `readyNextInThread`; the caller adds conditions and a `returning` clause. */
export function readyNext(sql: Executor, threadId: string): PendingQuery<Row[]> {
  return sql`
    update jobs set hold = ${sql.unsafe(NEXT_HOLD)}
    where id = (
      select id from jobs
      where thread_id = ${threadId} and status = 'queued' and hold = 'thread'
      order by seq limit 1
    )`;
}

/** Makes a thread's oldest job its head if it has none. Call it with the thread locked. */
export async function readyHeadless(tx: Tx, threadId: string): Promise<void> {
  const heads = await tx`
    select 1 from jobs where thread_id = ${threadId}
      and (status in ('running', 'waiting') or (status = 'queued' and hold is distinct from 'thread'))`;
  if (heads.length === 0) await readyNextInThread(tx, threadId);
}
