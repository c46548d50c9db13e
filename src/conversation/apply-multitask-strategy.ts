import type { Tx } from "#db";
import { JobConflictError, UNFINISHED } from "#queue";
import type { MultitaskStrategy } from "#shared/contracts";
import { cancelTurn } from "./cancel-turn.ts";

/**
 * Applies the submitter's strategy to a thread's unfinished jobs. Call it with the thread locked. Returns the oldest user
 * message that a rollback drops; null without a rollback.
 * @throws JobConflictError when the thread is busy and the strategy is `reject`: submit again after the job's end.
 */
export async function applyMultitaskStrategy(
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
  // The last job first: otherwise each cancellation would ready the next job, just before that is cancelled too.
  for (const job of unfinished.toReversed()) await cancelTurn(tx, { ownerId, jobId: job.id });
  return strategy === "rollback" ? (unfinished.find((job) => job.message_id !== null)?.message_id ?? null) : null;
}
