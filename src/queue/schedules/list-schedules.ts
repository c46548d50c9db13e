import type { Executor } from "#db";
import { scheduleColumns, toScheduleRow } from "./schedule.ts";
import type { StoredSchedule } from "./schedule.ts";
import type { ScheduleRow } from "#shared/operations";

/** The owner's schedules by name. */
export async function listSchedules(sql: Executor, ownerId: string): Promise<ScheduleRow[]> {
  const rows = await sql<StoredSchedule[]>`
    select ${scheduleColumns(sql)} from schedules where owner_id = ${ownerId} order by name`;
  return rows.map(toScheduleRow);
}
