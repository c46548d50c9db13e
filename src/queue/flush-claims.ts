import type { Executor } from "#db";

/**
 * Waits until what has committed without a flush, as claims do, is on the disk: an attempt is to count also where what
 * it does is what brings the database down. An empty message to nobody, for only a commit that wrote something is flushed.
 */
export async function flushClaims(sql: Executor): Promise<void> {
  await sql`select pg_logical_emit_message(true, 'threadmill', '')`;
}
