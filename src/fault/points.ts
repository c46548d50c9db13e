/** Every place at which the crash tests may end a process; the name says what has just been done, or is about to be. */
export const FAULT_POINTS = [
  "claimed",
  "claimed of a limit",
  "before running",
  "before a checkpoint",
  "checkpoint written",
  "before events",
  "events written",
  "before completing",
  "before the completion commits",
  "completed",
  "before completing many",
  "completed many",
  "completed and claimed",
  "parked",
  "before failing",
  "failed",
  "snoozed",
  "cancelled",
  "released",
  "reaped",
  "promoted",
  "admitted",
  "fired",
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];
