import type { PendingQuery, Row } from "postgres";
import type { Executor } from "./connection/client.ts";

/** A statement as text, and the values of $1, $2 and so on. */
export interface Statement {
  text: string;
  values: readonly unknown[];
}

/** A column that makes the transaction commit without waiting for a flush. The next flush of any transaction includes it. */
export const UNFLUSHED = "set_config('synchronous_commit', 'off', true)";

/**
 * Sends a statement with a constant text. Each fragment of a postgres.js template is a promise: in hot statements these
 * would be most of the garbage.
 */
export function send<T extends readonly object[] = Row[]>(
  sql: Executor,
  { text, values }: Statement,
): PendingQuery<T & Row[]> {
  return sql.unsafe<T & Row[]>(text, values as unknown[] as never[], { prepare: true });
}
