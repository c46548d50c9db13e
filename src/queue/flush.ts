import { DatabaseUnavailableError, send } from "#db";
import type { Executor } from "#db";

/** Writes an empty record to the write-ahead log: a commit that wrote nothing is not flushed. */
const FLUSH = "pg_logical_emit_message(true, 'threadmill', '')";
const FLUSH_CLAIMS = `select ${FLUSH}`;
const FLUSH_STORED = `select exists (select 1 from jobs where id = $1) as stored, ${FLUSH}`;

/**
 * Waits until claims that committed without a flush are on the disk. An attempt then counts even if its own work crashes
 * the database.
 */
export async function flushClaims(sql: Executor): Promise<void> {
  await send(sql, { text: FLUSH_CLAIMS, values: [] });
}

/**
 * Waits until a job that was stored without a flush is on the disk, with everything its statement stored.
 * @throws DatabaseUnavailableError when the database crashed or failed over before the flush: store the job again.
 */
export async function flushStored(sql: Executor, jobId: string): Promise<void> {
  const [row] = await send<{ stored: boolean }[]>(sql, { text: FLUSH_STORED, values: [jobId] });
  if (!row?.stored) throw new DatabaseUnavailableError("The database has lost the job before it was on the disk");
}
