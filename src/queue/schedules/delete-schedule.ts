import type { Executor } from "#db";
import { NotFoundError } from "../errors.ts";
import type { ScheduleKey } from "./schedule.ts";

/**
 * Deletes a schedule. The jobs that it has made stay.
 * @throws NotFoundError when the owner has no such schedule.
 */
export async function deleteSchedule(sql: Executor, { ownerId, scheduleId }: ScheduleKey): Promise<void> {
  const rows = await sql`delete from schedules where id = ${scheduleId} and owner_id = ${ownerId} returning id`;
  if (rows.length === 0) throw new NotFoundError("Schedule", scheduleId);
}
