import { DatabaseUnavailableError } from "#db";
import type { Executor } from "#db";

/**
 * Waits until what has committed without a flush, as claims do, is on the disk: an attempt is to count also where what
 * it does is what brings the database down. An empty message to nobody, for only a commit that wrote something is flushed.
 */
export async function flushClaims(sql: Executor): Promise<void> {
  await sql`select pg_logical_emit_message(true, 'threadmill', '')`;
}

/**
 * Waits until a job that was stored without a flush is on the disk, with all that was stored in its statement.
 * @throws DatabaseUnavailableError when the database has crashed, or given way to another, before it was: store it again.
 */
export async function flushStored(sql: Executor, jobId: string): Promise<void> {
  const [row] = await sql<{ stored: boolean }[]>`
    select exists (select 1 from jobs where id = ${jobId}) as stored, pg_logical_emit_message(true, 'threadmill', '')`;
  if (!row?.stored) throw new DatabaseUnavailableError("The database has lost the job before it was on the disk");
}
