import type postgres from "postgres";

/** The claim that owns a run, as the saver needs to know it. */
export interface Fence {
  /** The condition on `jobs` under which a write takes effect. */
  holds: (sql: postgres.ISql) => postgres.PendingQuery<postgres.Row[]>;
  /** The error that a write throws when the condition no longer holds; nothing was written then. */
  lost: () => Error;
  /** Another write of the run that the saver's next statement can carry; undefined when there is none. */
  piggyback?: (() => Piggyback | undefined) | undefined;
}

/** A write that shares the statement of a checkpoint: both cost one commit and one check of the claim. */
export interface Piggyback {
  /** The parts of a `with` that write it. The part named `owner` checks the claim and has a row if they have written. */
  parts: (sql: postgres.ISql) => postgres.PendingQuery<postgres.Row[]>;
  /** Called after the statement; with false, another statement has to write it. */
  settle: (isWritten: boolean) => void;
}

/**
 * The part of a `with` named `owner`: of one row while the claim holds and of none after; the row's lock keeps a reaper
 * out until the write commits.
 */
export function ownerPart(sql: postgres.ISql, fence: Fence | null): postgres.PendingQuery<postgres.Row[]> {
  const row = fence === null ? sql`select 1` : sql`select 1 from jobs where ${fence.holds(sql)} for share`;
  return sql`owner as materialized (${row})`;
}
