import { send } from "#db";
import type { Executor, Statement } from "#db";
import { READY } from "../predicates.ts";
import { CLAIMED_COLUMNS, claimValues, COMMITS_UNFLUSHED, OPEN, TAKE_PICKED, toClaimedJob } from "./claim-rows.ts";
import type { Claimed, ClaimOptions, ClaimRow } from "./claim-rows.ts";

/** How often in a row a claim skips owners without a claimable job. */
const MAX_SKIPS = 10;

/** Takes jobs of the highest priority; skips owners without a claimable job. */
export async function takeLevel(sql: Executor, options: ClaimOptions, statement: Statement): Promise<Claimed> {
  let { afterOwner } = options;
  const skipped = new Set<string>();
  for (;;) {
    const { passed, ...level } = await claimLevel(sql, { ...options, afterOwner }, statement);
    if (level.jobs.length > 0) return level;
    // All jobs of these owners are of a paused type or locked by another claim: the next owners take their turn.
    if (passed === null || skipped.has(passed) || skipped.size === MAX_SKIPS)
      return { ...level, lastOwner: options.afterOwner };
    skipped.add(passed);
    afterOwner = passed;
  }
}

interface Level extends Claimed {
  /** The last owner considered, when others may follow; null when all were. */
  passed: string | null;
}

/** One step of a walk over the owners of a queue and priority. */
const stepOf = (walk: string) => `
      select ${walk}.queue, ${walk}.priority, pair.owner_id, ${walk}.turn + 1 from ${walk} cross join lateral (
        select priority, owner_id from jobs
        where queue = ${walk}.queue and ${READY} and (priority, owner_id) < (${walk}.priority, ${walk}.owner_id)
        order by priority desc, owner_id desc limit 1
      ) as pair
      where ${walk}.turn < $3 and pair.priority = ${walk}.priority`;

/** The statement that takes jobs of the highest ready priority of the given queues; $4 is the owner served last. */
// oxlint-disable-next-line max-lines-per-function -- one statement, and its reasons beside it
const claimFrom = (queues: string) => `
    with recursive heads as materialized (
      select open.name as queue, head.priority from (${queues}) as open
      -- Every look into jobs is the start of one ordered index scan: what is finished, held or running is not in the index.
      cross join lateral (
        select priority from jobs where queue = open.name and ${READY} order by priority desc limit 1
      ) as head
    ), top as materialized (
      select queue, priority from heads where priority = (select max(priority) from heads)
    ), below as (
      -- The owners in turn, one step of the index for each: first those after the one served last, then the others. A
      -- step goes to the next (priority, owner) and ends the walk at a lower priority, for no other index has that order.
      select top.queue, top.priority, pair.owner_id, 1 as turn from top cross join lateral (
        select priority, owner_id from jobs
        where queue = top.queue and ${READY} and (priority, owner_id) < (top.priority, $4::text)
        order by priority desc, owner_id desc limit 1
      ) as pair
      where pair.priority = top.priority
      union all ${stepOf("below")}
    ), rest as (
      select top.queue, top.priority, pair.owner_id, 1 as turn from top cross join lateral (
        select priority, owner_id from jobs where queue = top.queue and ${READY} and priority <= top.priority
        order by priority desc, owner_id desc limit 1
      ) as pair
      where pair.priority = top.priority and pair.owner_id >= $4
      union all ${stepOf("rest")} and pair.owner_id >= $4
    ), owners as materialized (
      select queue, priority, owner_id, row_number() over (order by part, turn) as turn, count(*) over () as owners
      from (select 1 as part, * from below union all select 2, * from rest) as turns
      order by part, turn limit $3
    ), picked as materialized (
      select ready.id, owners.turn from owners cross join lateral (
        select id from jobs
        -- Equal, said so that the order below is only the claim index's to give.
        where queue = owners.queue and ${READY} and (priority, owner_id) <= (owners.priority, owners.owner_id)
          and (priority, owner_id) >= (owners.priority, owners.owner_id)
          -- coalesce: the planner takes the bare condition for one that hardly any row meets, and would sort them all.
          and coalesce(job_type <> all (array(select name from job_types where paused)), true)
        order by priority desc, owner_id desc, seq
        limit ceil($3::float8 / least(owners.owners, $3))::int
        for update skip locked
      ) as ready
      order by owners.turn
      limit $3
    ), claimed as (${TAKE_PICKED})
    select more.more, more.sole, more.passed, ${CLAIMED_COLUMNS}
    from (
      select (select count(*) from owners) > 1 or (select count(distinct priority) from heads) > 1 or exists (
        select 1 from top cross join lateral (
          select 1 from jobs where queue = top.queue and ${READY} and priority < top.priority order by priority desc limit 1
        ) as lower
      ) or (select count(*) from picked) = $3 as more,
        (select count(*) from owners) = 1 and (select count(*) from heads) = 1 as sole,
        (select owner_id from owners where turn = $3) as passed, ${COMMITS_UNFLUSHED}
    ) as more left join claimed on true
    order by claimed.seq`;

/** Claims from the queues without a limit of running jobs. */
export const CLAIM_OPEN: Statement = {
  text: claimFrom(`select name from queues where ${OPEN}`),
  values: [],
};
/** Claims from one queue, the last value. */
export const CLAIM_NAMED = claimFrom("select $5::text as name");

/** Sends a claiming statement; its own values follow the values that all claims share. */
async function claimLevel(sql: Executor, options: ClaimOptions, { text, values }: Statement): Promise<Level> {
  const { workerId, afterOwner = "" } = options;
  const rows = await send<LevelRow[]>(sql, { text, values: [...claimValues(options), afterOwner, ...values] });
  const found = rows.filter((row) => row.id !== null);
  const last = found.reduce<LevelRow | undefined>(
    (kept, row) => (kept && Number(kept.turn) >= Number(row.turn) ? kept : row),
    undefined,
  );
  return {
    jobs: found.map((row) => toClaimedJob(row, workerId)),
    more: rows[0]?.more ?? false,
    passed: rows[0]?.passed ?? null,
    lastOwner: last?.owner_id ?? options.afterOwner,
    unflushed: found.length > 0,
    line: last && rows[0]?.sole ? { queue: last.queue, priority: last.priority, ownerId: last.owner_id } : undefined,
  };
}

interface LevelRow extends ClaimRow {
  more: boolean;
  sole: boolean;
  passed: string | null;
  turn: string;
}
