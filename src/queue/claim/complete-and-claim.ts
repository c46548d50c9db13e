import type { Executor } from "#db";
import type { Completion } from "../settle/complete-many.ts";
import { endAndClaimLine } from "./claim-line.ts";
import { claimOn } from "./claim.ts";
import type { Claimed, ClaimOptions, Line } from "./claim-rows.ts";

/**
 * `completeMany` and `claim` in one statement and one commit: a worker with few slots mostly waits for commits. `left` are
 * the completions it did not make. Safe to send again. Needs a connection with `INDEXED_PLANS`: another plan could lock
 * claim candidates before it completes, and two workers would deadlock.
 */
export async function completeAndClaim<T extends Completion>(
  sql: Executor,
  completions: readonly T[],
  options: ClaimOptions & { line: Line },
): Promise<Claimed & { left: T[] }> {
  const { left, ...first } = await endAndClaimLine(sql, completions, options);
  return { ...(await claimOn(sql, options, first)), left };
}
