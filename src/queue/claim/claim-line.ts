import { send } from "#db";
import type { Executor } from "#db";
import type { ClaimedJob } from "../claimed-job.ts";
import { aloneRows, findAlone, HELD, leftOver } from "../settle/complete-many.ts";
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
import type { ClaimRow } from "./claim-rows.ts";
import type { ClaimOptions } from "./claim.ts";

/** The ready jobs of one owner at one priority of a queue, which are claimed in submit order. */
export interface Line {
  queue: string;
  priority: number;
  ownerId: string;
}

/** What was taken of a line; as in `Claimed`. */
export interface Taken {
  jobs: ClaimedJob[];
  more: boolean;
  unflushed: boolean;
}

/**
 * Takes jobs of a line, unless others must be weighed against them: then nothing is taken and `more` is true. Where one
 * owner's jobs of one priority are all there is, which is most of the time, it costs a fraction of what `claim` does.
 */
export async function claimLine(sql: Executor, options: ClaimOptions, line: Line): Promise<Taken> {
  const rows = await send<LineRow[]>(sql, { text: CLAIM_LINE, values: lineValues(options, line) });
  const taken = toTaken(rows, options);
  return { ...taken, unflushed: taken.jobs.length > 0 };
}

/**
 * Ends jobs as `completeMany` does and takes jobs of a line as `claimLine` does, in one statement. `left` are those it
 * did not end.
 */
export async function endAndClaimLine<T extends Completion>(
  sql: Executor,
  completions: readonly T[],
  { line, ...options }: ClaimOptions & { line: Line },
): Promise<Taken & { left: T[] }> {
  const alone = findAlone(completions);
  if (!alone) return { ...(await claimLine(sql, options, line)), left: [...completions] };
  const values = [...lineValues(options, line), ...alone];
  const rows = await send<LineRow[]>(sql, { text: END_AND_CLAIM_LINE, values });
  const ended = rows.filter((row) => row.ends);
  return { ...toTaken(rows, options), unflushed: false, left: await leftOver(sql, completions, ended) };
}

interface LineRow extends ClaimRow {
  others: boolean;
  /** Whether it is one that was ended; null where there is none, absent where none was to end. */
  ends?: boolean | null;
}

/** The values of a statement that claims of a line. */
function lineValues(options: ClaimOptions, { queue, priority, ownerId }: Line): unknown[] {
  return [...claimValues(options), queue, priority, ownerId];
}

const LINE = "($5::int, $6::text)";
const ORDER = "order by priority desc, owner_id desc";

/**
 * The parts of a statement that lock jobs of a line, whose queue is $4, priority $5 and owner $6: `picked` has them,
 * `state` what else there is, and in columns of its own what is asked for besides.
 */
const pickLine = (also = "") => `
    state as materialized (
      -- In the claim index the others stand before the line, after it, or in other queues: one look at each place. Not by
      -- exists, which drops the order and with it the index.
      select next.priority is not null as lower, next.priority is distinct from $5
        and exists (select 1 from queues where name = $4 and ${OPEN})
        and (select priority from jobs where queue = $4 and ${READY} and (priority, owner_id) > ${LINE} ${ORDER} limit 1) is null
        and not exists (
          select 1 from queues where name <> $4 and ${OPEN}
            and (select priority from jobs where queue = queues.name and ${READY} ${ORDER} limit 1) is not null
        ) as alone ${also}
      from (select (
        select priority from jobs where queue = $4 and ${READY} and (priority, owner_id) < ${LINE} ${ORDER} limit 1
      -- offset 0: so that it is looked for once, not for each mention.
      ) as priority offset 0) as next
    ), picked as materialized (
      select id, 1::bigint as turn from jobs
      -- As in claim-level.ts: equal, said so that the order is only the claim index's to give.
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
      -- One update for both: what an update of this table costs by itself, its indexes and checks, is paid once.
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
        -- The ends come first: they wait for those who hold a row by mistake, which must not be while this holds others.
        select id, attempt, result, true as ends, null::bigint as turn from (${aloneRows("$7", "$8", "$9")}) as given
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
