/**
 * Ends attempts: completed, failed, released, parked, cancelled or reaped. Invariant: the end, its events and its thread's
 * next head commit together.
 */
export { complete } from "./complete.ts";
export { completeMany } from "./complete-many.ts";
export type { Ending } from "./complete.ts";
export { fail } from "./fail.ts";
export type { RetryPolicy } from "./fail.ts";
export { release } from "./release.ts";
export { releaseOrphans } from "./release-orphans.ts";
export { park } from "./park.ts";
export type { NewInterrupt } from "./park.ts";
export { cancel, settleCancelled } from "./cancel.ts";
export { reap } from "./reap.ts";
export { expireInterrupts } from "./expire-interrupts.ts";
