import type { Executor, Tx } from "./connection/client.ts";
import { readOnlyError } from "./errors.ts";

/** Exceeds `work_mem`, which makes the server write a temporary file of some hundred kilobytes. */
const SPILLED_ROWS = 10_000;

/**
 * Checks that the database is migrated and its server takes writes.
 * @throws DatabaseUnavailableError with the fault READ_ONLY on a standby or a read-only server; PostgresError 42P01 when the
 * database is not migrated.
 */
export async function checkWritable(sql: Executor): Promise<void> {
  const [server] = await sql<{ readOnly: boolean }[]>`
    select current_setting('transaction_read_only') = 'on' as "readOnly" from (select count(*) from (
      select 1 from jobs limit 0
    ) as none) as migrated`;
  if (server?.readOnly === true) throw readOnlyError();
}

/**
 * Proves that writes work; give it a transaction of its own. The server's disk must have space for a file that grows, and
 * the commit must flush the write-ahead log. A log record alone succeeds on a full disk, because the log's files are
 * preallocated. A temporary table would fail too, but leaves dead rows in the catalogue.
 * @throws DatabaseUnavailableError with the server's fault, such as DISK_FULL.
 */
export async function proveWrites(tx: Tx): Promise<void> {
  await tx`select set_config('work_mem', '64kB', true)`;
  await tx`
    select max(n), pg_logical_emit_message(true, 'threadmill', '') from generate_series(1, ${SPILLED_ROWS}::int) as n`;
}
