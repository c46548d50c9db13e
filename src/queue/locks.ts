import type { Tx } from "#db";

/*
 * The order in which every verb takes its locks: threads, then limited keys, then rows. Advisory locks of several
 * keys are taken in the order of their hashes. Two verbs can then neither miss nor deadlock each other, but for what
 * cannot be known before: the threads of dependents that fail with their job, and batches that share keys in another
 * order. There PostgreSQL undoes one of the two, and `Database` sends it again.
 */

/**
 * Holds a thread's order until the transaction ends; null (a job of no thread) locks nothing. Every verb that adds
 * to a thread or ends its head takes it.
 */
export async function lockThread(tx: Tx, threadId: string | null): Promise<void> {
  if (threadId !== null) await lockAll(tx, [`thread:${threadId.toLowerCase()}`]);
}

/** What a job's place under a queue's limits per key is counted by. */
export interface LimitedKey {
  queue: string;
  /** Null for a job that no limit counts. */
  limitKey: string | null;
}

/** Holds the places of a limited key until the transaction ends; every verb that takes or frees one takes it. */
export async function lockLimit(tx: Tx, { queue, limitKey }: LimitedKey): Promise<void> {
  if (limitKey !== null) await lockAll(tx, [`limit:${queue}:${limitKey}`]);
}

/** Takes several advisory locks in one order for all. Sent at once: statements that are sent after the call wait for them. */
export async function lockAll(tx: Tx, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await tx`
    select pg_advisory_xact_lock(hash) from (
      select distinct hashtextextended(name, 0) as hash from unnest(${[...new Set(names)]}::text[]) as name order by 1
    ) as hashes`.execute();
}
