import type { Tx } from "#db";
import type { Claim } from "../claimed-job.ts";
import { endUnlessCancelled } from "./end-attempt.ts";

export interface ReleaseOptions {
  /** The delay before the job may run, in milliseconds; 0 unless given. */
  delayMs?: number;
  /** The reason, for readers of the job's history. */
  reason?: string | null;
}

/**
 * Gives a job back without using up a retry: ready at once, or after a delay (a snooze). A job with a cancel request ends
 * as cancelled instead.
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
    earlierStatuses: ["queued"],
  });
}
