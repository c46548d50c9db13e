import type { Executor, Tx } from "#db";
import { iso, isoOrNull } from "#shared/iso";
import { NotFoundError } from "../errors.ts";
import type { PendingQuery, Row } from "postgres";
import type { ScheduleRow } from "#shared/operations";

export interface ScheduleKey {
  ownerId: string;
  scheduleId: string;
}

/** A row of `schedules`; its times are as the database writes them. */
export interface StoredSchedule extends ScheduleRow {
  ownerId: string;
}

export function scheduleColumns(sql: Executor): PendingQuery<Row[]> {
  return sql`id as "scheduleId", owner_id as "ownerId", name, cron, time_zone as "timeZone", job_type as "jobType", queue,
    payload, priority, missed_runs as "missedRuns", paused, next_run_at as "nextRunAt", last_run_at as "lastRunAt"`;
}

/** @throws NotFoundError when the owner has no such schedule. */
export async function lockSchedule(tx: Tx, { ownerId, scheduleId }: ScheduleKey): Promise<StoredSchedule> {
  const [row] = await tx<StoredSchedule[]>`
    select ${scheduleColumns(tx)} from schedules where id = ${scheduleId} and owner_id = ${ownerId} for update`;
  if (!row) throw new NotFoundError("Schedule", scheduleId);
  return row;
}

/** The database's time, ISO 8601. */
export async function readNow(sql: Executor): Promise<string> {
  const [row] = await sql<{ now: string }[]>`select clock_timestamp() as now`;
  return iso(row?.now ?? "");
}

/** The job that a tick of the schedule makes. */
export function jobOf({ ownerId, jobType, queue, payload, priority }: StoredSchedule) {
  return { ownerId, jobType, queue, payload, priority };
}

export function toScheduleRow({ ownerId: _ownerId, ...row }: StoredSchedule): ScheduleRow {
  return { ...row, nextRunAt: isoOrNull(row.nextRunAt), lastRunAt: isoOrNull(row.lastRunAt) };
}
