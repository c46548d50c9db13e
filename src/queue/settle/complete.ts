import type { Tx } from "#db";
import { toStorableJson } from "../check-job.ts";
import type { Claim } from "../claimed-job.ts";
import type { Append } from "../events/append-events.ts";
import { holdsLease } from "../fence.ts";
import { endAttempt, readEarlierEnd } from "./end-attempt.ts";

export interface Ending {
  /** The job's result; null unless given. */
  result?: unknown;
  /** The last events of its log before the closing one. */
  last?: Append | undefined;
}

/**
 * Completes a running job and readies the jobs that wait for it. Returns true when this call completed it: write its
 * effects in the same transaction. Returns false when an earlier call for this attempt did and its answer was lost: the
 * effects are stored.
 * @throws LeaseLostError when the attempt no longer owns the job; InvalidJobError when the result cannot be stored as
 * JSON; let it roll the transaction back.
 */
export async function complete(tx: Tx, claim: Claim, { result, last }: Ending = {}): Promise<boolean> {
  const next = { status: "completed", result: toStorableJson("result", result ?? null) } as const;
  const isEnded = await endAttempt(tx, claim, { next, last, guard: holdsLease(tx, claim) });
  if (!isEnded) await readEarlierEnd(tx, claim, ["completed"]);
  return isEnded;
}
