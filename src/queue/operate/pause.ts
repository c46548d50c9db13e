import type { Executor } from "#db";
import { NotFoundError } from "../errors.ts";
import { notifyReady } from "../events/wake.ts";

/**
 * Stops or lets go on the claiming of a queue's jobs; those that run go on.
 * @throws NotFoundError when no job was ever in the queue.
 */
export async function pauseQueue(sql: Executor, queue: string, paused: boolean): Promise<void> {
  const rows = await sql`update queues set paused = ${paused} where name = ${queue} returning name`;
  if (rows.length === 0) throw new NotFoundError("Queue", queue);
  if (!paused) await notifyReady(sql, queue);
}

/**
 * Stops or lets go on the claiming of a type's jobs; those that run go on. The claim obeys at once; `sweepPaused` then
 * takes the type's ready jobs out of the claim's way.
 */
export async function pauseJobType(sql: Executor, jobType: string, paused: boolean): Promise<void> {
  await sql`
    insert into job_types (name, paused) values (${jobType}, ${paused}) on conflict (name) do update set paused = excluded.paused`;
  const queues = await sql<{ name: string }[]>`select name from queues`;
  for (const { name } of queues) await notifyReady(sql, name);
}
