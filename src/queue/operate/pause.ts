import type { Executor } from "#db";
import { QueueNotFoundError } from "../errors.ts";
import { announce, nextHold } from "../ready/ready.ts";
import type { Readied } from "../ready/ready.ts";
import { notifyReady } from "../events/wake.ts";

/**
 * Stops or lets go on the claiming of a queue's jobs; those that run go on.
 * @throws QueueNotFoundError when no job was ever in the queue.
 */
export async function pauseQueue(sql: Executor, queue: string, paused: boolean): Promise<void> {
  const rows = await sql`update queues set paused = ${paused} where name = ${queue} returning name`;
  if (rows.length === 0) throw new QueueNotFoundError(queue);
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

const BATCH = 5_000;

/** Takes the ready jobs of paused types out of the claim index, and puts those of types that go on back; 5,000 at the most. */
export async function sweepPaused(sql: Executor): Promise<number> {
  const held = await sql<Readied[]>`
    update jobs set hold = 'paused' where id in (
      select id from jobs where status = 'queued' and hold is null and job_type = any (array(select name from job_types where paused))
      limit ${BATCH} for update skip locked
    ) returning queue, limit_key, hold`;
  // What is held gives up its place under a limit, and waits for one like the others when it is freed.
  const freed = await sql<Readied[]>`
    update jobs set hold = ${nextHold(sql)} where id in (
      select id from jobs where status = 'queued' and hold = 'paused' and job_type <> all (array(select name from job_types where paused))
      limit ${BATCH} for update skip locked
    ) returning queue, limit_key, hold`;
  await announce(sql, [
    ...held.filter((job) => job.limit_key !== null).map((job) => ({ ...job, hold: "limit" })),
    ...freed,
  ]);
  return held.length + freed.length;
}
