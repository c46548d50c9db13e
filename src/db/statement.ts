import type { PendingQuery, Row } from "postgres";
import type { Executor } from "./connection/client.ts";

/** A statement as text, and the values of $1, $2 and so on. */
export interface Statement {
  text: string;
  values: readonly unknown[];
}

/**
 * What a statement selects so that its transaction commits without waiting for the disk. Whatever is flushed later takes
 * it along.
 */
export const UNFLUSHED = "set_config('synchronous_commit', 'off', true)";

/**
 * Sends a statement whose text is kept. Each fragment of postgres.js is a promise: of a statement with dozens of them, sent
 * by the thousand, those would be most of the garbage.
 */
export function send<T extends readonly object[] = Row[]>(
  sql: Executor,
  { text, values }: Statement,
): PendingQuery<T & Row[]> {
  return sql.unsafe<T & Row[]>(text, values as unknown[] as never[], { prepare: true });
}
