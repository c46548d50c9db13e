import { closeSync, openSync, readSync, statSync } from "node:fs";
import type postgres from "postgres";

/** A statement in PostgreSQL's log. */
export interface Statement {
  pid: number;
  text: string;
}

/** Makes the server log all statements of new connections to the database. */
export async function logStatements(sql: postgres.Sql): Promise<void> {
  const [row] = await sql<{ name: string }[]>`select current_database() as name`;
  await sql`alter database ${sql(row?.name ?? "")} set log_statement = 'all'`;
}

/** The current size of the log in bytes. */
export function logBytes(file: string): number {
  return statSync(file).size;
}

/** The statements that were logged after the byte `since`, in order. */
export function readStatements(file: string, since: number): Statement[] {
  const buffer = Buffer.alloc(statSync(file).size - since);
  const handle = openSync(file, "r");
  readSync(handle, buffer, { position: since });
  closeSync(handle);
  // The lines of a statement after its first begin with a tab.
  const entries = buffer.toString("utf8").replaceAll("\n\t", " ").split("\n");
  return entries.flatMap((entry) => {
    const [, pid, text] = /\[(\d+)\] LOG: {2}(?:statement|execute [^:]*): (.*)$/.exec(entry) ?? [];
    return pid === undefined || text === undefined ? [] : [{ pid: Number(pid), text }];
  });
}

/** The number of transactions: one for each `begin`, and one for each statement outside a transaction. */
export function countTransactions(statements: readonly Statement[]): number {
  const open = new Set<number>();
  let count = 0;
  for (const { pid, text } of statements) {
    if (/^\s*begin\b/i.test(text)) open.add(pid);
    if (/^\s*(commit|rollback)\b/i.test(text)) open.delete(pid);
    else if (!open.has(pid) || /^\s*begin\b/i.test(text)) count += 1;
  }
  return count;
}

/** The backends that serve applications of these names. */
export async function findPids(sql: postgres.Sql, applicationNames: readonly string[]): Promise<Set<number>> {
  const rows = await sql<{ pid: number }[]>`
    select pid from pg_stat_activity where application_name in ${sql(applicationNames)}`;
  return new Set(rows.map((row) => row.pid));
}
