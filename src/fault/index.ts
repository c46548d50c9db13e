/**
 * `fault/` owns the named points at which crash tests kill a process. It must not know what happens there. Invariant: in
 * every ordinary build a point does nothing; only `--conditions=chaos` puts `armed.ts` in place of this file.
 */
import type { FaultPoint } from "./points.ts";

export { FAULT_POINTS } from "./points.ts";
export type { FaultPoint } from "./points.ts";

/** Marks a point at which a crash must lose nothing. */
export function faultPoint(_name: FaultPoint): void {
  // Empty: see above.
}
