import type { Executor, Tx } from "#db";
import type { EnqueuedJob, NewJob } from "../new-job.ts";
import { enqueueMany, toFirstJob } from "./enqueue-many.ts";
import type { StoredRow } from "./enqueue-many.ts";
import { lockIdempotencyKey } from "../locks.ts";

/**
 * Stores one job in the caller's transaction, or on a pool in its own; workers may claim it after the commit. The same
 * idempotency key of the same owner returns the first job, also after it has ended.
 * @throws InvalidJobError when a field is out of range; nothing is stored.
 */
export async function enqueue(sql: Executor, job: NewJob): Promise<EnqueuedJob> {
  const [enqueued] = await enqueueMany(sql, [job]);
  if (!enqueued) throw new Error("the batch of one returned nothing");
  return enqueued;
}

/** The job that has an owner's idempotency key. Locks the key until the transaction ends: a second submitter waits. */
export async function findByKey(
  tx: Tx,
  job: Pick<NewJob, "ownerId" | "idempotencyKey">,
): Promise<(EnqueuedJob & { requestHash: string | null }) | undefined> {
  if (job.idempotencyKey === undefined) return undefined;
  await lockIdempotencyKey(tx, job.ownerId, job.idempotencyKey);
  const [row] = await tx<(StoredRow & { request_hash: string | null })[]>`
    select id, thread_id, decision_set_id, status, request_hash from jobs
    where owner_id = ${job.ownerId} and idempotency_key = ${job.idempotencyKey}`;
  return row && { ...toFirstJob(row), requestHash: row.request_hash };
}
