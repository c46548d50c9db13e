/** Decides when a queued job may be claimed: thread order, time, dependencies, limits, answers, pauses. */
export { admitDueKey, findDueKeys } from "./admit.ts";
export { promote } from "./promote.ts";
export { resume } from "./resume.ts";
export { sweepPaused } from "./sweep-paused.ts";
