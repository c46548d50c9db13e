import type { Tx } from "#db";
import { JobConflictError, UNFINISHED } from "#queue";
import { cancelTurn } from "./cancel-turn.ts";
import type { MultitaskStrategy } from "#shared/contracts";

/**
 * Deals with a thread's unfinished jobs as the submitter chose, under the thread's lock. Returns the user's message of
 * the oldest job that was stopped to be forgotten; null when there is none.
 * @throws JobConflictError when the thread is busy and the choice is `reject`; nothing is stored then.
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
  // The last first, so that none becomes the head only to be stopped as well.
  for (const job of unfinished.toReversed()) await cancelTurn(tx, { ownerId, jobId: job.id });
  return strategy === "rollback" ? (unfinished.find((job) => job.message_id !== null)?.message_id ?? null) : null;
}
