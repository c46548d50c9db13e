import type { Tx } from "#db";
import { announce, nextHold } from "./ready.ts";
import type { Readied } from "./ready.ts";

const BATCH = 1000;

/** Readies the queued jobs whose time has come by the database's clock, 1,000 at the most; returns how many. */
export async function promote(tx: Tx): Promise<number> {
  // statement_timestamp: with a clock that moves within the statement, all that is scheduled would be looked at.
  const rows = await tx<Readied[]>`
    update jobs set hold = ${nextHold(tx)}
    where id in (
      select id from jobs where status = 'queued' and hold = 'time' and run_at <= statement_timestamp()
      order by run_at limit ${BATCH} for update skip locked
    )
    returning queue, limit_key, hold`;
  await announce(tx, rows);
  return rows.length;
}
