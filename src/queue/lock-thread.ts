import type { Executor, Tx } from "#db";

/**
 * Holds a thread's order until the transaction ends; null (a job of no thread) locks nothing. Every verb that adds
 * to a thread or ends its head takes this lock before any row, so that the two can neither miss nor deadlock each other.
 */
export async function lockThread(tx: Tx, threadId: string | null): Promise<void> {
  if (threadId === null) return;
  await tx`select pg_advisory_xact_lock(hashtextextended(${`thread:${threadId}`}, 0))`;
}

/** Readies the oldest job that waits behind its thread's head; call it with the lock held, once the head has ended. */
export async function readyNextInThread(tx: Tx, threadId: string | null): Promise<void> {
  if (threadId === null) return;
  const readied = await tx<{ queue: string; hold: string | null }[]>`
    update jobs set hold = case when run_at > clock_timestamp() then 'time'::job_hold end
    where id = (
      select id from jobs
      where thread_id = ${threadId} and status = 'queued' and hold = 'thread'
      order by seq limit 1
    )
    returning queue, hold`;
  for (const job of readied) if (job.hold === null) await notifyReady(tx, job.queue);
}

/** The channel on which workers hear, when the transaction commits, that a job is ready. */
export const READY_CHANNEL = "threadmill_ready";

/** Wakes the workers; the payload is the queue's name, so that many notices of one commit become one. */
export async function notifyReady(sql: Executor, queue: string): Promise<void> {
  await sql`select pg_notify(${READY_CHANNEL}, ${queue})`;
}
