import type { Tx } from "#db";
import { JobConflictError, UNFINISHED } from "#queue";
import { cancelTurn } from "./cancel-turn.ts";
import type { MultitaskStrategy } from "#shared/contracts";

/**
 * Applies the submitter's strategy to a thread's unfinished jobs, under the thread's lock. Returns the oldest user message
 * that a rollback forgets; null without a rollback.
 * @throws JobConflictError when the thread is busy and the strategy is `reject`; nothing is stored then.
 */
export async function makeWay(
  tx: Tx,
  { ownerId, threadId }: { ownerId: string; threadId: string },
  strategy: MultitaskStrategy,
): Promise<string | null> {
  if (strategy === "enqueue") return null;
  const unfinished = await tx<{ id: string; message_id: string | null }[]>`
    select jobs.id, messages.id as message_id from jobs left join messages on messages.job_id = jobs.id and messages.role = 'user'
    where jobs.thread_id = ${threadId} and jobs.owner_id = ${ownerId} and jobs.${tx.unsafe(UNFINISHED)} order by jobs.seq`;
  if (unfinished.length === 0) return null;
  if (strategy === "reject") {
    throw new JobConflictError(
      `The thread is busy with job ${unfinished[0]?.id}: wait for its end, or choose another multitaskStrategy`,
    );
  }
  // The last job first, so that no job becomes the head just before it is cancelled.
  for (const job of unfinished.toReversed()) await cancelTurn(tx, { ownerId, jobId: job.id });
  return strategy === "rollback" ? (unfinished.find((job) => job.message_id !== null)?.message_id ?? null) : null;
}
