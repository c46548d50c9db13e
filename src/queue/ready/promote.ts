import type { Tx } from "#db";
import { dispatch, nextHold } from "./ready.ts";
import type { Readied } from "./ready.ts";

const BATCH = 1000;

/** Readies up to 1,000 scheduled jobs whose time has come by the database's clock. Returns how many. */
export async function promote(tx: Tx): Promise<number> {
  // statement_timestamp is stable, so it can bound an index scan; clock_timestamp would read every scheduled job.
  const rows = await tx<Readied[]>`
    update jobs set hold = ${nextHold(tx)}
    where id in (
      select id from jobs where status = 'queued' and hold = 'time' and run_at <= statement_timestamp()
      order by run_at limit ${BATCH} for update skip locked
    )
    returning queue, limit_key, hold`;
  await dispatch(tx, rows);
  return rows.length;
}
