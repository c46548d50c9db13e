import type { Tx } from "#db";

/*
 * Every verb takes its locks in this order: threads, limited keys, rows; several keys by their hashes. Two cases break the
 * order: the threads of dependents that fail with their job, and batches that share keys in another order. Their locks are
 * not known in advance. If two verbs then deadlock, PostgreSQL rolls one back, and `Database` sends it again.
 */

/**
 * Locks the order of a thread until the transaction ends; null (a job of no thread) locks nothing. Every verb that adds
 * to a thread or ends its head takes it.
 */
export async function lockThread(tx: Tx, threadId: string | null): Promise<void> {
  if (threadId !== null) await lockThreads(tx, [threadId]);
}

/** Locks the order of several threads. */
export async function lockThreads(tx: Tx, threadIds: readonly string[]): Promise<void> {
  const names = threadIds.map((id) => `thread:${id.toLowerCase()}`);
  await lockAll(tx, names);
}

/** The key by which a queue's limits per key count a job. */
export interface LimitedKey {
  queue: string;
  /** Null for a job without a limited key. */
  limitKey: string | null;
}

/** The keys without repetitions. */
export function distinctKeys(keys: readonly LimitedKey[]): LimitedKey[] {
  return [...new Map(keys.map((key) => [`${key.queue}\n${key.limitKey}`, key])).values()];
}

/** Locks the slots of a limited key until the transaction ends. Every verb that takes or frees a slot takes it. */
export async function lockLimit(tx: Tx, key: LimitedKey): Promise<void> {
  await lockLimits(tx, [key]);
}

/** Locks the slots of several limited keys. */
export async function lockLimits(tx: Tx, keys: readonly LimitedKey[]): Promise<void> {
  const names = keys.flatMap(({ queue, limitKey }) => (limitKey === null ? [] : [`limit:${queue}:${limitKey}`]));
  await lockAll(tx, names);
}

/** Locks an owner's idempotency key until the transaction ends: the second of two submitters waits for the first. */
export async function lockIdempotencyKey(tx: Tx, ownerId: string, key: string): Promise<void> {
  await lockAll(tx, [`key:${ownerId}:${key}`]);
}

/** Takes advisory locks in one order for all callers. Sent at once: statements sent after the call wait in the server. */
async function lockAll(tx: Tx, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await tx`
    select pg_advisory_xact_lock(hash) from (
      select distinct hashtextextended(name, 0) as hash from unnest(${[...new Set(names)]}::text[]) as name order by 1
    ) as hashes`.execute();
}
