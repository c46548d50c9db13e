import type { Executor } from "#db";
import { TERMINAL_STATUSES } from "#shared/job-states";

/**
 * The number of the last event of each job's log, the closing one counted, in one statement; jobs that are not there are
 * left out. It does not ask whose they are: for readers who have been let in already.
 */
export async function readLogHeads(sql: Executor, jobIds: readonly string[]): Promise<Map<string, number>> {
  const rows = await sql<{ id: string; head: number }[]>`
    select id, event_seq + case when status::text = any(${[...TERMINAL_STATUSES]}) and completed_at is not null then 1 else 0 end as head
    from jobs where id = any(${[...jobIds]}::uuid[])`;
  return new Map(rows.map(({ id, head }) => [id, head]));
}
