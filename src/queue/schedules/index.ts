/** Jobs by the clock. Invariant: each tick makes one job, whichever worker fires it. */
export { saveSchedule } from "./save-schedule.ts";
export { listSchedules } from "./list-schedules.ts";
export { pauseSchedule } from "./pause-schedule.ts";
export { deleteSchedule } from "./delete-schedule.ts";
export { runScheduleNow } from "./run-schedule-now.ts";
export { fireSchedules } from "./fire-schedules.ts";
