import type { Tx } from "#db";
import { iso } from "#shared/iso";
import { enqueue } from "../enqueue/enqueue.ts";
import { QueueError } from "../errors.ts";
import { nextTick } from "./next-tick.ts";
import { jobOf, readNow, scheduleColumns } from "./schedule.ts";
import type { StoredSchedule } from "./schedule.ts";

const BATCH = 50;
/** A tick that is later than this was missed: no worker was running to make its job. */
const LATE_MS = 60_000;

interface Fired {
  /** The number of due schedules. */
  looked: number;
  /** The number of jobs that were made. */
  made: number;
  /** The schedules that were paused, and why. */
  faults: { scheduleId: string; name: string; message: string }[];
}

/**
 * Makes the jobs of the due ticks and sets the next ticks, for at most 50 schedules. A tick makes one job, however many
 * workers fire it. All missed ticks of a schedule make no job (`skip`) or one job (`run_once`). An unusable schedule, such
 * as one in an unknown time zone, is paused.
 */
export async function fireSchedules(tx: Tx): Promise<Fired> {
  const fired: Fired = { looked: 0, made: 0, faults: [] };
  const due = await tx<DueSchedule[]>`
    select ${scheduleColumns(tx)}, (extract(epoch from clock_timestamp() - next_run_at) * 1000)::float8 as "lateMs" from schedules
    where not paused and next_run_at <= statement_timestamp() order by next_run_at limit ${BATCH} for update skip locked`;
  fired.looked = due.length;
  if (due.length === 0) return fired;
  const now = await readNow(tx);
  for (const schedule of due) {
    try {
      fired.made += await fireOne(tx, schedule, now);
    } catch (error) {
      // `fireOne` throws a QueueError before its first statement, so the transaction is still usable.
      if (!(error instanceof QueueError)) throw error;
      const { scheduleId, name } = schedule;
      fired.faults.push({ scheduleId, name, message: error.message });
      await tx`update schedules set paused = true where id = ${scheduleId}`;
    }
  }
  return fired;
}

interface DueSchedule extends StoredSchedule {
  /** The time since its tick, in milliseconds. */
  lateMs: number;
}

async function fireOne(tx: Tx, schedule: DueSchedule, now: string): Promise<number> {
  const tick = iso(schedule.nextRunAt ?? now);
  const isMissed = schedule.lateMs > LATE_MS;
  const next = nextTick(schedule.cron, schedule.timeZone, isMissed ? now : tick);
  const job =
    isMissed && schedule.missedRuns === "skip"
      ? undefined
      : await enqueue(tx, { ...jobOf(schedule), scheduleId: schedule.scheduleId, scheduledFor: tick });
  await tx`
    update schedules set next_run_at = ${next}::text::timestamptz, last_run_at = ${tick}::text::timestamptz
    where id = ${schedule.scheduleId}`;
  return job?.created ? 1 : 0;
}
