import { newId } from "#db";
import type { Executor, Tx } from "#db";
import { checkPayload, checkWhole, textFault } from "../check-job.ts";
import { InvalidScheduleError } from "../errors.ts";
import { listOffers } from "../fleet/list-offers.ts";
import { nextTick } from "./next-tick.ts";
import { readNow, scheduleColumns, toScheduleRow } from "./schedule.ts";
import type { StoredSchedule } from "./schedule.ts";
import { DEFAULT_QUEUE, INT32_MAX, INT32_MIN } from "#shared/limits";
import type { NewSchedule, ScheduleRow } from "#shared/operations";

/**
 * Stores a schedule, or replaces the owner's schedule of the same name. Its first tick is the next one after now.
 * @throws InvalidScheduleError when the cron line never ticks, a field is invalid or no worker runs the job type.
 * @throws InvalidJobError when the priority or the payload is invalid.
 */
export async function saveSchedule(
  tx: Tx,
  { ownerId, ...schedule }: NewSchedule & { ownerId: string },
): Promise<ScheduleRow> {
  checkFields(schedule);
  const timeZone = schedule.timeZone ?? "UTC";
  const next = nextTick(schedule.cron, timeZone, await readNow(tx));
  if (next === null) throw new InvalidScheduleError("cron never ticks: there is no such date");
  await checkJobType(tx, schedule.jobType);
  const [row] = await tx<StoredSchedule[]>`
    insert into schedules (id, owner_id, name, cron, time_zone, job_type, queue, payload, priority, missed_runs, next_run_at)
    values (${newId()}, ${ownerId}, ${schedule.name}, ${schedule.cron.trim()}, ${timeZone}, ${schedule.jobType},
      ${schedule.queue ?? DEFAULT_QUEUE}, ${JSON.stringify(schedule.payload)}::text::jsonb, ${schedule.priority ?? 0},
      ${schedule.missedRuns ?? "skip"}, ${next}::text::timestamptz)
    on conflict (owner_id, name) do update set cron = excluded.cron, time_zone = excluded.time_zone, job_type = excluded.job_type,
      queue = excluded.queue, payload = excluded.payload, priority = excluded.priority, missed_runs = excluded.missed_runs,
      next_run_at = excluded.next_run_at
    returning ${scheduleColumns(tx)}`;
  if (!row) throw new Error("the schedule was not stored");
  return toScheduleRow(row);
}

/** Applies the rules for jobs: otherwise every tick would make a job that `enqueue` refuses. */
function checkFields({ name, jobType, queue = DEFAULT_QUEUE, priority, payload }: NewSchedule): void {
  for (const [field, value] of Object.entries({ name, jobType, queue })) {
    const fault = textFault(field, value);
    if (fault !== undefined) throw new InvalidScheduleError(fault);
  }
  checkWhole("priority", priority, [INT32_MIN, INT32_MAX]);
  checkPayload(payload);
}

/**
 * Checks that a worker runs the job type. Before the first worker ever starts, every type passes.
 * @throws InvalidScheduleError naming the known types, or the reason why no worker can run this one.
 */
async function checkJobType(sql: Executor, jobType: string): Promise<void> {
  const offers = await listOffers(sql);
  if (offers.length === 0) return;
  const found = offers.find((offer) => offer.jobType === jobType);
  if (found?.error === null) return;
  const named = `jobType ${JSON.stringify(jobType)}`;
  if (found) throw new InvalidScheduleError(`${named} cannot be run: ${found.error}`);
  const known = offers.filter(({ error }) => error === null).map((offer) => offer.jobType);
  throw new InvalidScheduleError(
    `${named} is run by no worker: use ${known.join(", ")}, or start a worker that runs it first`,
  );
}
