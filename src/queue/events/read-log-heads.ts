import type { Executor } from "#db";
import { TERMINAL_STATUSES } from "#shared/job-states";

/**
 * The number of each log's last event, the closing event included; unknown jobs are left out. It does not check the
 * owner: only for readers whose access was checked before.
 */
export async function readLogHeads(sql: Executor, jobIds: readonly string[]): Promise<Map<string, number>> {
  const rows = await sql<{ id: string; head: number }[]>`
    select id, event_seq + case when status::text = any(${[...TERMINAL_STATUSES]}) and completed_at is not null then 1 else 0 end as head
    from jobs where id = any(${[...jobIds]}::uuid[])`;
  return new Map(rows.map(({ id, head }) => [id, head]));
}
