import type { Tx } from "#db";
import { toStorableJson } from "../check-job.ts";
import type { Claim } from "../claimed-job.ts";
import type { Append } from "../events/append-events.ts";
import { holdsLease } from "../fence.ts";
import { endAttempt, endedBefore } from "./end-attempt.ts";

export interface Ending {
  /** What the job returned; null unless given. */
  result?: unknown;
  /** The last events of its log before the closing one. */
  last?: Append | undefined;
}

/**
 * Ends a job well and readies what waits for it, in the transaction in which its effects are written. True when this
 * call ended it: write the effects then. False when an earlier call of this very attempt had, whose answer was lost:
 * its effects are there.
 * @throws LeaseLostError when the attempt no longer owns the job; InvalidJobError when the result cannot be stored as
 * JSON; let it roll the transaction back.
 */
export async function complete(tx: Tx, claim: Claim, { result, last }: Ending = {}): Promise<boolean> {
  const next = { status: "completed", result: toStorableJson("result", result ?? null) } as const;
  const isEnded = await endAttempt(tx, claim, { next, last, guard: holdsLease(tx, claim) });
  if (!isEnded) await endedBefore(tx, claim, ["completed"]);
  return isEnded;
}
