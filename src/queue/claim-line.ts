import type { Executor } from "#db";
import type { ClaimedJob, ClaimOptions } from "./claim.ts";
import { claimedColumns, takePicked, toClaimedJob } from "./claim-rows.ts";
import type { ClaimRow } from "./claim-rows.ts";

/** The ready jobs of one owner at one priority of a queue, which are claimed in submit order. */
export interface Line {
  queue: string;
  priority: number;
  ownerId: string;
}

/**
 * Takes jobs of a line, unless others must be weighed against them: then nothing is taken and `more` is true. Where one
 * owner's jobs of one priority are all there is, which is most of the time, it costs a fraction of what `claim` does.
 */
export async function claimLine(
  sql: Executor,
  options: ClaimOptions,
  { queue, priority, ownerId }: Line,
): Promise<{ jobs: ClaimedJob[]; more: boolean }> {
  const { workerId, limit } = options;
  const ready = sql`status = 'queued' and hold is null`;
  const open = sql`not paused and limits ->> 'concurrency' is null`;
  const line = sql`(${priority}::int, ${ownerId}::text)`;
  const order = sql`order by priority desc, owner_id desc`;
  const rows = await sql<(ClaimRow & { more: boolean })[]>`
    with state as materialized (
      -- In the claim index the others stand before the line, after it, or in other queues: one look at each place. Not by
      -- exists, which drops the order and with it the index.
      select next.priority is not null as lower, next.priority is distinct from ${priority}
        and exists (select 1 from queues where name = ${queue} and ${open})
        and (select priority from jobs where queue = ${queue} and ${ready} and (priority, owner_id) > ${line} ${order} limit 1) is null
        and not exists (
          select 1 from queues where name <> ${queue} and ${open}
            and (select priority from jobs where queue = queues.name and ${ready} ${order} limit 1) is not null
        ) as alone
      from (select (
        select priority from jobs where queue = ${queue} and ${ready} and (priority, owner_id) < ${line} ${order} limit 1
      ) as priority) as next
    ), picked as materialized (
      select id, 1::bigint as turn from jobs
      -- As in claim.ts: equal, said so that the order is only the claim index's to give.
      where (select alone from state) and queue = ${queue} and ${ready} and (priority, owner_id) <= ${line} and (priority, owner_id) >= ${line}
        and coalesce(job_type <> all (array(select name from job_types where paused)), true)
      ${order}, seq limit ${limit} for update skip locked
    ), claimed as (${takePicked(sql, options)})
    select not state.alone or state.lower or (select count(*) from picked) = ${limit} as more, ${claimedColumns(sql)}
    from state left join claimed on true order by claimed.seq`;
  const found = rows.filter((row) => row.id !== null);
  return { jobs: found.map((row) => toClaimedJob(row, workerId)), more: rows[0]?.more ?? true };
}
