import type postgres from "postgres";

/** The claim that owns a run, as the saver needs to know it. */
export interface Fence {
  /** The condition on `jobs` under which a write takes effect. */
  holds: (sql: postgres.ISql) => postgres.PendingQuery<postgres.Row[]>;
  /** The error that a write throws when the condition no longer holds; nothing was written then. */
  lost: () => Error;
  /** What else the run has to write now, which goes into the saver's statement; nothing where it is absent or gives undefined. */
  takeAlong?: (() => Along | undefined) | undefined;
}

/** What is written in the statement of a checkpoint, so that both cost one commit and one look at the claim. */
export interface Along {
  /** Parts of a `with` that write it; the one named `owner` has a row if it was written, which the claim must hold for. */
  parts: (sql: postgres.ISql) => postgres.PendingQuery<postgres.Row[]>;
  /** Called once the statement has ended: whether it is written, or has to be by another. */
  settle: (written: boolean) => void;
}

/**
 * The part of a `with` named `owner`: of one row while the claim holds and of none after; the row's lock keeps a reaper
 * out until the write commits.
 */
export function ownerPart(sql: postgres.ISql, fence: Fence | null): postgres.PendingQuery<postgres.Row[]> {
  const row = fence === null ? sql`select 1` : sql`select 1 from jobs where ${fence.holds(sql)} for share`;
  return sql`owner as materialized (${row})`;
}
