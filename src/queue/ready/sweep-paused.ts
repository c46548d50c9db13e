import type { Executor } from "#db";
import { dispatch, nextHold } from "./ready.ts";
import type { Readied } from "./ready.ts";
import { READY } from "../predicates.ts";

const BATCH = 5_000;

/** Moves ready jobs of paused types out of the claim index and jobs of resumed types back, at most 5,000 of each; returns how many. */
export async function sweepPaused(sql: Executor): Promise<number> {
  const held = await sql<Readied[]>`
    update jobs set hold = 'paused' where id in (
      select id from jobs where ${sql.unsafe(READY)} and job_type = any (array(select name from job_types where paused))
      limit ${BATCH} for update skip locked
    ) returning queue, limit_key, hold`;
  // A paused job gives up its slot under a limit, and queues for a new one when its type is resumed.
  const freed = await sql<Readied[]>`
    update jobs set hold = ${nextHold(sql)} where id in (
      select id from jobs where status = 'queued' and hold = 'paused' and job_type <> all (array(select name from job_types where paused))
      limit ${BATCH} for update skip locked
    ) returning queue, limit_key, hold`;
  await dispatch(sql, [
    ...held.filter((job) => job.limit_key !== null).map((job) => ({ ...job, hold: "limit" })),
    ...freed,
  ]);
  return held.length + freed.length;
}
