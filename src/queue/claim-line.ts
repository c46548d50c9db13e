import text, { empty } from "sql-template-tag";
import type { Sql } from "sql-template-tag";
import { send } from "#db";
import type { Executor } from "#db";
import { endAlone, leftOver } from "./complete.ts";
import type { Completion, EndedRow } from "./complete.ts";
import type { ClaimedJob, ClaimOptions } from "./claim.ts";
import { CLAIMED_COLUMNS, takePicked, toClaimedJob, UNFLUSHED } from "./claim-rows.ts";
import type { ClaimRow } from "./claim-rows.ts";

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
  const rows = await send<LineRow[]>(sql, text`with ${lineParts(options, line, UNFLUSHED)} ${lineResult()}`);
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
  const ending = endAlone(completions);
  if (!ending) return { ...(await claimLine(sql, options, line)), left: [...completions] };
  const rows = await send<(LineRow & { ended: string | null })[]>(
    sql,
    text`with done as (${ending}), ${lineParts(options, line)}
    ${lineResult(text`, (select json_agg(done) from done)::text as ended`)}`,
  );
  const ended = JSON.parse(rows[0]?.ended ?? "[]") as EndedRow[];
  return { ...toTaken(rows, options), unflushed: false, left: await leftOver(sql, completions, ended) };
}

type LineRow = ClaimRow & { others: boolean };

/** The parts of a statement that take jobs of a line: `claimed` has them, `state` what else there is. */
function lineParts(options: ClaimOptions, { queue, priority, ownerId }: Line, also: Sql = empty): Sql {
  const ready = text`status = 'queued' and hold is null`;
  const open = text`not paused and limits ->> 'concurrency' is null`;
  const line = text`(${priority}::int, ${ownerId}::text)`;
  const order = text`order by priority desc, owner_id desc`;
  return text`
    state as materialized (
      -- In the claim index the others stand before the line, after it, or in other queues: one look at each place. Not by
      -- exists, which drops the order and with it the index.
      select next.priority is not null as lower, next.priority is distinct from ${priority}
        and exists (select 1 from queues where name = ${queue} and ${open})
        and (select priority from jobs where queue = ${queue} and ${ready} and (priority, owner_id) > ${line} ${order} limit 1) is null
        and not exists (
          select 1 from queues where name <> ${queue} and ${open}
            and (select priority from jobs where queue = queues.name and ${ready} ${order} limit 1) is not null
        ) as alone ${also}
      from (select (
        select priority from jobs where queue = ${queue} and ${ready} and (priority, owner_id) < ${line} ${order} limit 1
      ) as priority) as next
    ), picked as materialized (
      select id, 1::bigint as turn from jobs
      -- As in claim.ts: equal, said so that the order is only the claim index's to give.
      where (select alone from state) and queue = ${queue} and ${ready} and (priority, owner_id) <= ${line} and (priority, owner_id) >= ${line}
        and coalesce(job_type <> all (array(select name from job_types where paused)), true)
      ${order}, seq limit ${options.limit} for update skip locked
    ), claimed as (${takePicked(options)})`;
}

function lineResult(also: Sql = empty): Sql {
  return text`
    select not state.alone or state.lower as others, ${CLAIMED_COLUMNS} ${also}
    from state left join claimed on true order by claimed.seq`;
}

function toTaken(rows: readonly LineRow[], { workerId, limit }: ClaimOptions): Omit<Taken, "unflushed"> {
  const found = rows.filter((row) => row.id !== null);
  return {
    jobs: found.map((row) => toClaimedJob(row, workerId)),
    more: (rows[0]?.others ?? true) || found.length === limit,
  };
}
