import type postgres from "postgres";

/** The claim that owns a run, as the saver needs to know it. */
export interface Fence {
  /** The condition on `jobs` under which a write takes effect. */
  holds: (sql: postgres.Sql) => postgres.PendingQuery<postgres.Row[]>;
  /** The error that a write throws when the condition no longer holds; nothing was written then. */
  lost: () => Error;
}

/** A query of one row while the claim holds and of none after; the row's lock keeps a reaper out until the write commits. */
export function ownerRow(sql: postgres.Sql, fence: Fence | null): postgres.PendingQuery<postgres.Row[]> {
  return fence === null ? sql`select 1` : sql`select 1 from jobs where ${fence.holds(sql)} for share`;
}
