import type { Executor } from "#db";
import { NotFoundError } from "../errors.ts";
import { notifyReady } from "../events/notices.ts";

/**
 * Pauses or resumes a queue: workers claim no job of a paused queue. Running jobs continue.
 * @throws NotFoundError when there is no such queue.
 */
export async function pauseQueue(sql: Executor, queue: string, paused: boolean): Promise<void> {
  const rows = await sql`update queues set paused = ${paused} where name = ${queue} returning name`;
  if (rows.length === 0) throw new NotFoundError("Queue", queue);
  if (!paused) await notifyReady(sql, queue);
}

/**
 * Pauses or resumes a job type. Running jobs continue. Claims skip the type's jobs at once; `sweepPaused` then takes them
 * out of the claim index.
 */
export async function pauseJobType(sql: Executor, jobType: string, paused: boolean): Promise<void> {
  await sql`
    insert into job_types (name, paused) values (${jobType}, ${paused}) on conflict (name) do update set paused = excluded.paused`;
  const queues = await sql<{ name: string }[]>`select name from queues`;
  for (const { name } of queues) await notifyReady(sql, name);
}
