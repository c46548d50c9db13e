import type { Executor, Tx } from "#db";
import { notifyReady } from "../events/wake.ts";
import { admitSoon } from "./admit.ts";
import type { PendingQuery, Row } from "postgres";

/**
 * Why a queued job that is its thread's head is not ready yet; null when it is. A job of a limited key waits for a
 * place first, which `admit` gives it.
 */
export function nextHold(sql: Executor): PendingQuery<Row[]> {
  return sql`${sql.unsafe(NEXT_HOLD)}`;
}

/** The same as text. */
export const NEXT_HOLD = `case
    when jobs.pending_dependencies > 0 then 'dependency'::job_hold
    when jobs.run_at > clock_timestamp() then 'time'::job_hold
    when jobs.limit_key is not null then 'limit'::job_hold
  end`;

/** A job whose hold was worked out anew. */
export interface Readied {
  queue: string;
  limit_key: string | null;
  hold: string | null;
}

/** Wakes the workers for jobs that have become ready or are now held for a time, and has those of limited keys let in soon. */
export async function announce(tx: Executor, jobs: readonly Readied[]): Promise<void> {
  for (const queue of new Set(jobs.filter((job) => job.hold === null || job.hold === "time").map((job) => job.queue))) {
    await notifyReady(tx, queue);
  }
  await admitSoon(
    tx,
    jobs.filter((job) => job.hold === "limit").map((job) => ({ queue: job.queue, limitKey: job.limit_key })),
  );
}

/** Lets the oldest job that waits behind its thread's head be the head; call it with the lock held, once the head has ended. */
export async function readyNextInThread(tx: Tx, threadId: string | null): Promise<void> {
  if (threadId === null) return;
  await announce(tx, await tx<Readied[]>`${readyNext(tx, threadId)} returning queue, limit_key, hold`);
}

/** The update that does so, but for further conditions and what it returns. */
export function readyNext(sql: Executor, threadId: string): PendingQuery<Row[]> {
  return sql`
    update jobs set hold = ${nextHold(sql)}
    where id = (
      select id from jobs
      where thread_id = ${threadId} and status = 'queued' and hold = 'thread'
      order by seq limit 1
    )`;
}

/** Lets a thread's oldest waiting job be the head where there is none; call it with the lock held. */
export async function readyHeadless(tx: Tx, threadId: string): Promise<void> {
  const heads = await tx`
    select 1 from jobs where thread_id = ${threadId}
      and (status in ('running', 'waiting') or (status = 'queued' and hold is distinct from 'thread'))`;
  if (heads.length === 0) await readyNextInThread(tx, threadId);
}
