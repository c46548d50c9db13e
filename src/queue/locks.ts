import type { Tx } from "#db";

/*
 * The order in which every verb takes its locks: threads, then limited keys, then rows. Advisory locks of several
 * keys are taken in the order of their hashes. Two verbs can then neither miss nor deadlock each other, but for what
 * cannot be known before: the threads of dependents that fail with their job, and batches that share keys in another
 * order. There PostgreSQL undoes one of the two, and `Database` sends it again.
 */

/**
 * Locks the order of a thread until the transaction ends; null (a job of no thread) locks nothing. Every verb that adds
 * to a thread or ends its head takes it.
 */
export async function lockThread(tx: Tx, threadId: string | null): Promise<void> {
  if (threadId !== null) await lockThreads(tx, [threadId]);
}

/** The same for several threads. */
export async function lockThreads(tx: Tx, threadIds: readonly string[]): Promise<void> {
  await lockAll(
    tx,
    threadIds.map((id) => `thread:${id.toLowerCase()}`),
  );
}

/** What a job's place under a queue's limits per key is counted by. */
export interface LimitedKey {
  queue: string;
  /** Null for a job that no limit counts. */
  limitKey: string | null;
}

/** Locks the places of a limited key until the transaction ends; every verb that takes or frees one takes it. */
export async function lockLimit(tx: Tx, key: LimitedKey): Promise<void> {
  await lockLimits(tx, [key]);
}

/** The same for several keys. */
export async function lockLimits(tx: Tx, keys: readonly LimitedKey[]): Promise<void> {
  await lockAll(
    tx,
    keys.flatMap(({ queue, limitKey }) => (limitKey === null ? [] : [`limit:${queue}:${limitKey}`])),
  );
}

/** Locks an owner's idempotency key until the transaction ends: the second of two submitters waits for the first. */
export async function lockIdempotencyKey(tx: Tx, ownerId: string, key: string): Promise<void> {
  await lockAll(tx, [`key:${ownerId}:${key}`]);
}

/** Takes advisory locks in one order for all callers. Sent at once: statements that are sent after the call wait for them. */
async function lockAll(tx: Tx, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await tx`
    select pg_advisory_xact_lock(hash) from (
      select distinct hashtextextended(name, 0) as hash from unnest(${[...new Set(names)]}::text[]) as name order by 1
    ) as hashes`.execute();
}
