import { send } from "#db";
import type { Executor } from "#db";
import type { ClaimedJob } from "../claimed-job.ts";
import { findIndependent, HELD, independentRows, notifyEnded } from "../settle/complete-many.ts";
import type { Completion } from "../settle/complete-many.ts";
import { READY } from "../predicates.ts";
import {
  CLAIMED_COLUMNS,
  claimValues,
  COMMITS_UNFLUSHED,
  LEASE_END,
  OPEN,
  TAKE_PICKED,
  TAKEN_COLUMNS,
  toClaimedJob,
} from "./claim-rows.ts";
import type { ClaimOptions, ClaimRow, Line } from "./claim-rows.ts";

/** The jobs taken from a line; fields as in `Claimed`. */
export interface Taken {
  jobs: ClaimedJob[];
  more: boolean;
  unflushed: boolean;
}

/**
 * Takes jobs of a line if no other line competes; otherwise takes nothing and `more` is true. One owner's jobs of one
 * priority are the common case, and this costs a fraction of `claim`.
 */
export async function claimLine(sql: Executor, options: ClaimOptions, line: Line): Promise<Taken> {
  const rows = await send<LineRow[]>(sql, { text: CLAIM_LINE, values: lineValues(options, line) });
  const taken = toTaken(rows, options);
  return { ...taken, unflushed: taken.jobs.length > 0 };
}

/** `completeMany` and `claimLine` in one statement. `left` are the completions it did not make. */
export async function endAndClaimLine<T extends Completion>(
  sql: Executor,
  completions: readonly T[],
  { line, ...options }: ClaimOptions & { line: Line },
): Promise<Taken & { left: T[] }> {
  const independent = findIndependent(completions);
  if (!independent) return { ...(await claimLine(sql, options, line)), left: [...completions] };
  const values = [...lineValues(options, line), ...independent];
  const rows = await send<LineRow[]>(sql, { text: END_AND_CLAIM_LINE, values });
  const ended = rows.filter((row) => row.ends);
  return { ...toTaken(rows, options), unflushed: false, left: await notifyEnded(sql, completions, ended) };
}

interface LineRow extends ClaimRow {
  others: boolean;
  /** True for a completed job, false for a claimed one; null in a row without a job, absent without completions. */
  ends?: boolean | null;
}

/** The values of a statement that claims from a line. */
function lineValues(options: ClaimOptions, { queue, priority, ownerId }: Line): unknown[] {
  return [...claimValues(options), queue, priority, ownerId];
}

const LINE = "($5::int, $6::text)";
const ORDER = "order by priority desc, owner_id desc";

/**
 * The CTEs that lock jobs of the line (queue $4, priority $5, owner $6): `picked` holds the jobs, `state` says whether other
 * lines compete. `also` adds columns to `state`.
 */
const pickLine = (also = "") => `
    state as materialized (
      -- Competing jobs precede the line in the claim index, follow it, or are in other queues: one probe for each. exists
      -- would drop the order and with it the index.
      select next.priority is not null as lower, next.priority is distinct from $5
        and exists (select 1 from queues where name = $4 and ${OPEN})
        and (select priority from jobs where queue = $4 and ${READY} and (priority, owner_id) > ${LINE} ${ORDER} limit 1) is null
        and not exists (
          select 1 from queues where name <> $4 and ${OPEN}
            and (select priority from jobs where queue = queues.name and ${READY} ${ORDER} limit 1) is not null
        ) as alone ${also}
      from (select (
        select priority from jobs where queue = $4 and ${READY} and (priority, owner_id) < ${LINE} ${ORDER} limit 1
      -- offset 0 keeps the subquery from being inlined at each use.
      ) as priority offset 0) as next
    ), picked as materialized (
      select id, 1::bigint as turn from jobs
      -- As in claim-level.ts: two inequalities instead of =, so that only the claim index can give the order.
      where (select alone from state) and queue = $4 and ${READY} and (priority, owner_id) <= ${LINE} and (priority, owner_id) >= ${LINE}
        and coalesce(job_type <> all (array(select name from job_types where paused)), true)
      ${ORDER}, seq limit $3 for update skip locked
    )`;

const CLAIM_LINE = `
    with ${pickLine(`, ${COMMITS_UNFLUSHED}`)}, claimed as (${TAKE_PICKED})
    select not state.alone or state.lower as others, ${CLAIMED_COLUMNS}
    from state left join claimed on true order by claimed.seq`;

const END_AND_CLAIM_LINE = `
    with ${pickLine()}, claimed as (
      -- One update for both pays the cost of the table's indexes and checks once.
      update jobs set
        status = case when done.ends then 'completed'::job_status else 'running'::job_status end,
        result = case when done.ends then done.result::jsonb else jobs.result end,
        error_message = case when not done.ends then jobs.error_message end,
        completed_at = case when done.ends then clock_timestamp() end,
        attempt = case when done.ends then jobs.attempt else jobs.attempt + 1 end,
        worker_id = case when not done.ends then $1 end,
        last_worker_id = $1,
        lease_expires_at = case when not done.ends then ${LEASE_END} end,
        claimed_at = case when done.ends then jobs.claimed_at else clock_timestamp() end,
        usage = case when done.ends then jobs.usage end,
        started_at = coalesce(jobs.started_at, clock_timestamp())
      from (
        -- Completions come first: they may wait for a row lock, and must not while this statement holds claimed rows.
        select id, attempt, result, true as ends, null::bigint as turn from (${independentRows("$7", "$8", "$9")}) as given
        union all select id, null, null, false, turn from picked
      ) as done
      where jobs.id = any(array[done.id]) and (not done.ends or (${HELD}))
      returning ${TAKEN_COLUMNS}, case when not done.ends then jobs.payload end as payload, done.turn, done.ends
    )
    select not state.alone or state.lower as others, ${CLAIMED_COLUMNS}, claimed.ends
    from state left join claimed on true order by claimed.seq`;

function toTaken(rows: readonly LineRow[], { workerId, limit }: ClaimOptions): Omit<Taken, "unflushed"> {
  const found = rows.filter((row) => row.id !== null && !row.ends);
  return {
    jobs: found.map((row) => toClaimedJob(row, workerId)),
    more: (rows[0]?.others ?? true) || found.length === limit,
  };
}
