import type { Executor, Tx } from "#db";
import { textFault } from "../check-job.ts";
import { InvalidQueueError, NotFoundError } from "../errors.ts";
import { notifyReady } from "../events/notices.ts";
import { admitSoon } from "../ready/admit.ts";
import { queueLimitsSchema } from "#shared/operations";
import type { QueueLimits, QueueRow } from "#shared/operations";
import { READY } from "../predicates.ts";

/**
 * Sets the most jobs that a queue may run at once, in all and per `limitKey`; an absent limit is unlimited. Running jobs
 * continue. The queue's limit applies to later claims, the limits per key to jobs admitted later.
 * @throws NotFoundError when there is no such queue; InvalidQueueError when a limit is no whole number from 1.
 */
export async function setQueueLimits(tx: Tx, queue: string, limits: QueueLimits): Promise<void> {
  const parsed = queueLimitsSchema.safeParse(limits);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "limits"}: ${message}`);
    throw new InvalidQueueError(faults.join("; "));
  }
  const updated =
    await tx`update queues set limits = ${JSON.stringify(limits)}::text::jsonb where name = ${queue} returning name`;
  if (updated.length === 0) throw new NotFoundError("Queue", queue);
  const rows = await tx<{ limit_key: string }[]>`
    select distinct limit_key from jobs where queue = ${queue} and status = 'queued' and hold = 'limit'`;
  const keys = rows.map((row) => ({ queue, limitKey: row.limit_key }));
  await admitSoon(tx, keys);
  await notifyReady(tx, queue);
}

/**
 * Creates a queue before its first job, so that it can be paused or limited. An existing queue stays as it is.
 * @throws InvalidQueueError when the name is empty, too long, or cannot be stored.
 */
export async function createQueue(sql: Executor, queue: string): Promise<void> {
  const fault = textFault("queue", queue);
  if (fault !== undefined) throw new InvalidQueueError(fault);
  await sql`insert into queues (name) values (${queue}) on conflict do nothing`;
}

/** Every queue by name, with its limits and its counts of ready, held and running jobs. */
export async function listQueues(sql: Executor): Promise<QueueRow[]> {
  return sql<QueueRow[]>`
    select name as queue, paused, limits,
      (select count(*)::int from jobs where queue = queues.name and ${sql.unsafe(READY)}) as ready,
      (select count(*)::int from jobs where queue = queues.name and status = 'queued' and hold is not null) as held,
      (select count(*)::int from jobs where queue = queues.name and status = 'running') as running
    from queues order by name`;
}
