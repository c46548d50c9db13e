import type { Tx } from "#db";
import type { Claim } from "../claimed-job.ts";
import { endUnlessCancelled } from "./end-attempt.ts";

export interface ReleaseOptions {
  /** How long from now the job may run at the earliest, in milliseconds; 0 unless given. */
  delayMs?: number;
  /** Why, for those who read the job's history. */
  reason?: string | null;
}

/**
 * Gives a job back without using up a retry: ready at once, or after a delay (a snooze). A job that somebody has asked to
 * cancel ends as cancelled instead.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function release(
  tx: Tx,
  claim: Claim,
  { delayMs = 0, reason = null }: ReleaseOptions = {},
): Promise<"queued" | "cancelled"> {
  return endUnlessCancelled(tx, claim, {
    next: { status: "queued", delayMs: delayMs > 0 ? delayMs : null },
    history: { outcome: "released", error: reason === null ? {} : { message: reason } },
    event: { type: "released", data: reason === null ? {} : { reason } },
    formerly: ["queued"],
  });
}
