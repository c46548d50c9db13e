import type { Tx } from "#db";
import { enqueue } from "../enqueue/enqueue.ts";
import type { EnqueuedJob } from "../new-job.ts";
import { jobOf, lockSchedule } from "./schedule.ts";
import type { ScheduleKey } from "./schedule.ts";

/**
 * Makes a job of a schedule now, in addition to its ticks, even if it is paused.
 * @throws NotFoundError when the owner has no such schedule.
 */
export async function runScheduleNow(tx: Tx, key: ScheduleKey): Promise<EnqueuedJob> {
  return enqueue(tx, jobOf(await lockSchedule(tx, key)));
}
