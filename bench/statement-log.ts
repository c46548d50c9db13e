import { closeSync, openSync, readSync, statSync } from "node:fs";
import type postgres from "postgres";

/** A statement that the server was sent, by the server's own log. */
export interface Statement {
  pid: number;
  text: string;
}

/** From now on new connections to the database have all their statements logged. */
export async function logStatements(sql: postgres.Sql): Promise<void> {
  const [row] = await sql<{ name: string }[]>`select current_database() as name`;
  await sql`alter database ${sql(row?.name ?? "")} set log_statement = 'all'`;
}

/** Where the log ends now. */
export function endOfLog(file: string): number {
  return statSync(file).size;
}

/** The statements logged since, in order. */
export function readStatements(file: string, since: number): Statement[] {
  const buffer = Buffer.alloc(statSync(file).size - since);
  const handle = openSync(file, "r");
  readSync(handle, buffer, { position: since });
  closeSync(handle);
  // A statement of several lines goes on after a tab.
  const entries = buffer.toString("utf8").replaceAll("\n\t", " ").split("\n");
  return entries.flatMap((entry) => {
    const [, pid, text] = /\[(\d+)\] LOG: {2}(?:statement|execute [^:]*): (.*)$/.exec(entry) ?? [];
    return pid === undefined || text === undefined ? [] : [{ pid: Number(pid), text }];
  });
}

/** How many transactions the statements were: one for each `begin`, and one for each statement outside of any. */
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

/** The server's processes that serve an application of this name. */
export async function findPids(sql: postgres.Sql, applicationNames: readonly string[]): Promise<Set<number>> {
  const rows = await sql<{ pid: number }[]>`
    select pid from pg_stat_activity where application_name in ${sql(applicationNames)}`;
  return new Set(rows.map((row) => row.pid));
}
