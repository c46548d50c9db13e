/** Jobs by the clock: one job a tick, whoever fires it. */
export {
  deleteSchedule,
  fireSchedules,
  listSchedules,
  pauseSchedule,
  runScheduleNow,
  saveSchedule,
} from "./schedules.ts";
