import type { FaultPoint } from "./points.ts";

export { FAULT_POINTS } from "./points.ts";
export type { FaultPoint } from "./points.ts";

/**
 * Named points at which the crash tests end a process. In every ordinary build they do nothing: only a process that
 * runs with `--conditions=chaos` gets `armed.ts` in place of this file.
 */

/** Marks a place where a crash must lose nothing. */
export function faultPoint(_name: FaultPoint): void {
  // Empty: see above.
}
