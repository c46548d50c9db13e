import type { Tx } from "#db";
import { isoOrNull } from "#shared/iso";
import { NotFoundError } from "../errors.ts";
import { nextTick } from "./next-tick.ts";
import { lockSchedule, readNow, scheduleColumns, toScheduleRow } from "./schedule.ts";
import type { ScheduleKey, StoredSchedule } from "./schedule.ts";
import type { ScheduleRow } from "#shared/operations";

/**
 * Pauses a schedule, or resumes it with its next tick after now. Ticks during the pause make no jobs.
 * @throws NotFoundError when the owner has no such schedule.
 */
export async function pauseSchedule(tx: Tx, key: ScheduleKey, paused: boolean): Promise<ScheduleRow> {
  const schedule = await lockSchedule(tx, key);
  const next = paused ? isoOrNull(schedule.nextRunAt) : nextTick(schedule.cron, schedule.timeZone, await readNow(tx));
  const [row] = await tx<StoredSchedule[]>`
    update schedules set paused = ${paused}, next_run_at = ${next}::text::timestamptz where id = ${key.scheduleId}
    returning ${scheduleColumns(tx)}`;
  if (!row) throw new NotFoundError("Schedule", key.scheduleId);
  return toScheduleRow(row);
}
