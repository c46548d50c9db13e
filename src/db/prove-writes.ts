import type { Executor, Tx } from "./connection/client.ts";
import { DatabaseUnavailableError } from "./errors.ts";

/** Enough rows to exceed `work_mem`, so that the server writes a temporary file of some hundred kilobytes. */
const SPILLED_ROWS = 10_000;

/**
 * Looks whether the database is migrated and its server takes writes.
 * @throws DatabaseUnavailableError with the fault READ_ONLY on a standby or a read-only server; PostgresError 42P01 when the
 * database is not migrated.
 */
export async function checkWritable(sql: Executor): Promise<void> {
  const [server] = await sql<{ readOnly: boolean }[]>`
    select current_setting('transaction_read_only') = 'on' as "readOnly" from (select count(*) from (
      select 1 from jobs limit 0
    ) as none) as migrated`;
  if (server?.readOnly !== true) return;
  throw new DatabaseUnavailableError("The database server refuses writes: it is a standby or set to be read-only", {
    fault: "READ_ONLY",
  });
}

/**
 * Proves that a write works, in a transaction of its own: the server's disk has space for a file that grows, and its log
 * reaches the disk at the commit. A record in the log alone succeeds on a full disk, for the log's files are made in advance.
 * A temporary table would notice a full disk as well, but leaves dead rows in the catalogue each time.
 * @throws DatabaseUnavailableError with the server's fault, such as DISK_FULL.
 */
export async function proveWrites(tx: Tx): Promise<void> {
  await tx`select set_config('work_mem', '64kB', true)`;
  await tx`
    select max(n), pg_logical_emit_message(true, 'threadmill', '') from generate_series(1, ${SPILLED_ROWS}::int) as n`;
}
