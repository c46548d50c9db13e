import { DatabaseUnavailableError, send } from "#db";
import type { Executor } from "#db";

/** An empty message to nobody, for only a commit that wrote something is flushed. */
const FLUSH = "pg_logical_emit_message(true, 'threadmill', '')";
const FLUSH_CLAIMS = `select ${FLUSH}`;
const FLUSH_STORED = `select exists (select 1 from jobs where id = $1) as stored, ${FLUSH}`;

/**
 * Waits until what has committed without a flush, as claims do, is on the disk: an attempt is to count also where what
 * it does is what brings the database down.
 */
export async function flushClaims(sql: Executor): Promise<void> {
  await send(sql, { text: FLUSH_CLAIMS, values: [] });
}

/**
 * Waits until a job that was stored without a flush is on the disk, with all that was stored in its statement.
 * @throws DatabaseUnavailableError when the database has crashed, or given way to another, before it was: store it again.
 */
export async function flushStored(sql: Executor, jobId: string): Promise<void> {
  const [row] = await send<{ stored: boolean }[]>(sql, { text: FLUSH_STORED, values: [jobId] });
  if (!row?.stored) throw new DatabaseUnavailableError("The database has lost the job before it was on the disk");
}
