/** Every point at which crash tests may kill a process, named after the step that has just ended or is about to begin. */
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
