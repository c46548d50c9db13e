import type { PendingQuery, Row } from "postgres";
import type { Sql } from "sql-template-tag";
import type { Executor } from "./client.ts";

/**
 * Sends a statement that was put together as text. Each fragment of postgres.js is a promise: of a statement with dozens
 * of them, sent by the thousand, those would be most of the garbage.
 */
export function send<T extends readonly object[] = Row[]>(
  sql: Executor,
  { text, values }: Pick<Sql, "text" | "values">,
): PendingQuery<T & Row[]> {
  return sql.unsafe<T & Row[]>(text, values as never[], { prepare: true });
}
