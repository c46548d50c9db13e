import type { Executor } from "#db";
import type { Completion } from "../settle/complete-many.ts";
import { endAndClaimLine } from "./claim-line.ts";
import type { Line } from "./claim-line.ts";
import { claimOn } from "./claim.ts";
import type { Claimed, ClaimOptions } from "./claim.ts";

/**
 * What `completeMany` and `claim` do, in one statement and one commit: a worker with few places spends most of its time
 * waiting for commits. `left` are the completions that were not made. Safe to send again, as both are. Needs a connection
 * with `INDEXED_PLANS`: by another plan it may hold what it is to claim while it waits to complete, and two workers each
 * other up.
 */
export async function completeAndClaim<T extends Completion>(
  sql: Executor,
  completions: readonly T[],
  options: ClaimOptions & { line: Line },
): Promise<Claimed & { left: T[] }> {
  const { left, ...first } = await endAndClaimLine(sql, completions, options);
  return { ...(await claimOn(sql, options, first)), left };
}
