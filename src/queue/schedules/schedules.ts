import { newId } from "#db";
import type { Executor, Tx } from "#db";
import { iso, isoOrNull } from "#shared/iso";
import { checkPayload, textFault, whole } from "../check-job.ts";
import { enqueue } from "../enqueue/enqueue.ts";
import { InvalidScheduleError, QueueError, NotFoundError } from "../errors.ts";
import type { EnqueuedJob } from "../new-job.ts";
import { checkJobType } from "./check-job-type.ts";
import { nextTick } from "./next-tick.ts";
import type { NewSchedule, ScheduleRow } from "#shared/operations";
import { DEFAULT_QUEUE, INT32_MAX, INT32_MIN } from "#shared/limits";

export interface ScheduleKey {
  ownerId: string;
  scheduleId: string;
}

/**
 * Stores a schedule, or replaces the owner's of the same name; its first tick is the next after now.
 * @throws InvalidScheduleError when the cron line or the time zone cannot be read or never ticks, or no worker runs the job
 *   type; InvalidJobError.
 */
export async function saveSchedule(
  tx: Tx,
  { ownerId, ...schedule }: NewSchedule & { ownerId: string },
): Promise<ScheduleRow> {
  checkSchedule(schedule);
  const timeZone = schedule.timeZone ?? "UTC";
  const next = nextTick(schedule.cron, timeZone, await now(tx));
  if (next === null) throw new InvalidScheduleError("cron never ticks: there is no such date");
  await checkJobType(tx, schedule.jobType);
  const [row] = await tx<ScheduleColumns[]>`
    insert into schedules (id, owner_id, name, cron, time_zone, job_type, queue, payload, priority, missed_runs, next_run_at)
    values (${newId()}, ${ownerId}, ${schedule.name}, ${schedule.cron.trim()}, ${timeZone}, ${schedule.jobType},
      ${schedule.queue ?? DEFAULT_QUEUE}, ${JSON.stringify(schedule.payload)}::text::jsonb, ${schedule.priority ?? 0},
      ${schedule.missedRuns ?? "skip"}, ${next}::text::timestamptz)
    on conflict (owner_id, name) do update set cron = excluded.cron, time_zone = excluded.time_zone, job_type = excluded.job_type,
      queue = excluded.queue, payload = excluded.payload, priority = excluded.priority, missed_runs = excluded.missed_runs,
      next_run_at = excluded.next_run_at
    returning *`;
  if (!row) throw new Error("the schedule was not stored");
  return toScheduleRow(row);
}

/** Checks what its jobs would be checked for, so that none is refused at a tick. */
function checkSchedule({ name, jobType, queue = DEFAULT_QUEUE, priority, payload }: NewSchedule): void {
  for (const [field, value] of Object.entries({ name, jobType, queue })) {
    const fault = textFault(field, value);
    if (fault !== undefined) throw new InvalidScheduleError(fault);
  }
  whole("priority", priority, [INT32_MIN, INT32_MAX]);
  checkPayload(payload);
}

/** The owner's schedules by name. */
export async function listSchedules(sql: Executor, ownerId: string): Promise<ScheduleRow[]> {
  const rows = await sql<ScheduleColumns[]>`select * from schedules where owner_id = ${ownerId} order by name`;
  return rows.map(toScheduleRow);
}

/**
 * Stops a schedule, or lets it go on from its next tick after now; ticks while it was paused are not made up for.
 * @throws NotFoundError when the owner has no such schedule.
 */
export async function pauseSchedule(tx: Tx, key: ScheduleKey, paused: boolean): Promise<ScheduleRow> {
  const schedule = await lockSchedule(tx, key);
  const next = paused ? schedule.next_run_at : nextTick(schedule.cron, schedule.time_zone, await now(tx));
  const [row] = await tx<ScheduleColumns[]>`
    update schedules set paused = ${paused}, next_run_at = ${next === null ? null : iso(next)}::text::timestamptz
    where id = ${schedule.id} returning *`;
  if (!row) throw new NotFoundError("Schedule", schedule.id);
  return toScheduleRow(row);
}

/**
 * Deletes a schedule; the jobs it has made stay.
 * @throws NotFoundError when the owner has no such schedule.
 */
export async function deleteSchedule(sql: Executor, { ownerId, scheduleId }: ScheduleKey): Promise<void> {
  const rows = await sql`delete from schedules where id = ${scheduleId} and owner_id = ${ownerId} returning id`;
  if (rows.length === 0) throw new NotFoundError("Schedule", scheduleId);
}

/**
 * Makes a job of a schedule now, besides its ticks; also of a paused one.
 * @throws NotFoundError when the owner has no such schedule.
 */
export async function runScheduleNow(tx: Tx, key: ScheduleKey): Promise<EnqueuedJob> {
  const schedule = await lockSchedule(tx, key);
  return enqueue(tx, jobOf(schedule));
}

const BATCH = 50;
/** A tick that is later than this was missed: no worker was there to make its job. */
const LATE_MS = 60_000;

/**
 * Makes the jobs of the ticks that are due, one for each tick however many workers do this at once, and works out the
 * next ticks. Of missed ticks a schedule makes no job (`skip`) or one for all of them (`run_once`). A schedule that
 * cannot be read any more, such as one in a time zone that is gone, is paused; the others tick on.
 */
export async function fireSchedules(tx: Tx): Promise<Fired> {
  const fired: Fired = { looked: 0, made: 0, faults: [] };
  const due = await tx<DueSchedule[]>`
    select *, (extract(epoch from clock_timestamp() - next_run_at) * 1000)::float8 as late_ms from schedules
    where not paused and next_run_at <= statement_timestamp() order by next_run_at limit ${BATCH} for update skip locked`;
  fired.looked = due.length;
  if (due.length === 0) return fired;
  const at = await now(tx);
  for (const schedule of due) {
    try {
      fired.made += await fireOne(tx, schedule, at);
    } catch (error) {
      // Thrown before any statement: the transaction is whole.
      if (!(error instanceof QueueError)) throw error;
      fired.faults.push({ scheduleId: schedule.id, name: schedule.name, message: error.message });
      await tx`update schedules set paused = true where id = ${schedule.id}`;
    }
  }
  return fired;
}

interface Fired {
  /** How many schedules were due. */
  looked: number;
  /** How many jobs were made. */
  made: number;
  /** The schedules that were paused, and why. */
  faults: { scheduleId: string; name: string; message: string }[];
}

async function fireOne(tx: Tx, schedule: DueSchedule, at: string): Promise<number> {
  const tick = iso(schedule.next_run_at ?? at);
  const late = schedule.late_ms > LATE_MS;
  const next = nextTick(schedule.cron, schedule.time_zone, late ? at : tick);
  const job =
    late && schedule.missed_runs === "skip"
      ? undefined
      : await enqueue(tx, { ...jobOf(schedule), scheduleId: schedule.id, scheduledFor: tick });
  await tx`update schedules set next_run_at = ${next}::text::timestamptz, last_run_at = ${tick}::text::timestamptz where id = ${schedule.id}`;
  return job?.created ? 1 : 0;
}

interface ScheduleColumns {
  id: string;
  owner_id: string;
  name: string;
  cron: string;
  time_zone: string;
  job_type: string;
  queue: string;
  payload: unknown;
  priority: number;
  missed_runs: "skip" | "run_once";
  paused: boolean;
  next_run_at: string | null;
  last_run_at: string | null;
}

interface DueSchedule extends ScheduleColumns {
  /** How long ago its tick was. */
  late_ms: number;
}

function jobOf(schedule: ScheduleColumns) {
  const { owner_id: ownerId, job_type: jobType, queue, payload, priority } = schedule;
  return { ownerId, jobType, queue, payload, priority };
}

async function lockSchedule(tx: Tx, { ownerId, scheduleId }: ScheduleKey): Promise<ScheduleColumns> {
  const [row] = await tx<
    ScheduleColumns[]
  >`select * from schedules where id = ${scheduleId} and owner_id = ${ownerId} for update`;
  if (!row) throw new NotFoundError("Schedule", scheduleId);
  return row;
}

async function now(sql: Executor): Promise<string> {
  const [row] = await sql<{ now: string }[]>`select clock_timestamp() as now`;
  return iso(row?.now ?? "");
}

function toScheduleRow(row: ScheduleColumns): ScheduleRow {
  return {
    scheduleId: row.id,
    name: row.name,
    cron: row.cron,
    timeZone: row.time_zone,
    jobType: row.job_type,
    queue: row.queue,
    payload: row.payload,
    priority: row.priority,
    missedRuns: row.missed_runs,
    paused: row.paused,
    nextRunAt: isoOrNull(row.next_run_at),
    lastRunAt: isoOrNull(row.last_run_at),
  };
}
