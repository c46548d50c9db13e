import { newId, together } from "#db";
import type { Tx } from "#db";
import { JobConflictError, lockThread, NotFoundError } from "#queue";
import type { EnqueuedJob } from "#queue";
import { enqueue, findByKey } from "#queue/enqueue";
import type { Submitted } from "#shared/contracts";
import { CHAT_JOB_TYPE } from "#shared/job-types";
import { addMessage } from "./add-message.ts";
import { applyMultitaskStrategy } from "./apply-multitask-strategy.ts";
import { placeAt, placeAtEnd } from "./branch.ts";
import type { Place } from "./branch.ts";
import { checkGraph, graphJobType } from "./graphs.ts";
import { hashTurn } from "./hash-turn.ts";
import type { NewTurn } from "./new-turn.ts";

const TITLE_CHARS = 80;

/**
 * Stores a user's message and its job in the caller's transaction.
 * @throws NotFoundError when the thread is another owner's; InvalidJobError when a field is out of range or names an
 * unknown graph or message; JobConflictError when the thread is busy and `reject` was chosen, or the idempotency key belongs
 * to a job with other content or no chat turn.
 */
export async function submitTurn(tx: Tx, turn: NewTurn): Promise<Submitted> {
  const first = await findByKey(tx, turn);
  const requestHash = turn.idempotencyKey === undefined ? undefined : hashTurn(turn);
  if (first) {
    // Versions before request hashes stored jobs without one.
    if (first.requestHash !== null && first.requestHash !== requestHash)
      throw keyConflict(first.jobId, "has other content");
    return toSubmitted(first);
  }
  const threadId = turn.threadId?.toLowerCase() ?? newId();
  if (turn.graph !== undefined) await checkGraph(tx, turn.graph);
  const decisionSet = await openThread(tx, turn, threadId);
  const ownType = decisionSet.graph === null ? CHAT_JOB_TYPE : graphJobType(decisionSet.graph);
  const jobType = turn.graph === undefined ? (turn.jobType ?? ownType) : ownType;
  const dropped = await applyMultitaskStrategy(tx, { ...turn, threadId }, turn.multitaskStrategy ?? "enqueue");
  const history = decisionSet.created ? (turn.history ?? []).map((message) => ({ id: newId(), ...message })) : [];
  const { parentId, branch } = await placeOf(tx, decisionSet, turn.parentId ?? dropped);
  const [jobId, messageId] = [newId(), newId()];
  const decisionSetId = decisionSet.id;
  const seeds = history.map((message, index) => {
    const before = history[index - 1]?.id ?? parentId;
    return addMessage(tx, { ...message, decisionSetId, jobId: null, parentId: before });
  });
  const enqueued = enqueue(tx, {
    jobId,
    ownerId: turn.ownerId,
    jobType,
    payload: {
      content: turn.content,
      messageId,
      ...(branch && { branch }),
      ...(history.length > 0 && { history }),
      ...(decisionSet.created && { freshThread: true }),
    },
    threadId,
    decisionSetId,
    priority: turn.priority,
    maxRetries: turn.maxRetries,
    idempotencyKey: turn.idempotencyKey,
    requestHash,
    budget: turn.budget,
    traceContext: turn.traceContext,
  });
  const message = { id: messageId, role: "user", content: turn.content, decisionSetId, jobId } as const;
  const asked = addMessage(tx, { ...message, parentId: history.at(-1)?.id ?? parentId });
  const [, , job] = await together([decisionSet.stored, together(seeds), enqueued, asked]);
  // A job that is no turn locks no key: it may have been stored with this key after `findByKey`.
  if (!job.created) throw keyConflict(job.jobId, NO_TURN);
  return { jobId, threadId, decisionSetId, status: job.status };
}

const NO_TURN = "is no chat turn";

/** @throws JobConflictError when the key's job is no chat turn: nothing would answer the message. */
function toSubmitted({ jobId, threadId, decisionSetId, status }: EnqueuedJob): Submitted {
  if (threadId === null || decisionSetId === null) throw keyConflict(jobId, NO_TURN);
  return { jobId, threadId, decisionSetId, status };
}

function keyConflict(jobId: string, why: string): JobConflictError {
  return new JobConflictError(`idempotencyKey is that of job ${jobId}, which ${why}: use another`);
}

async function placeOf(tx: Tx, { id, created }: OpenThread, messageId: string | null): Promise<Place> {
  if (messageId !== null) return placeAt(tx, id, messageId);
  return created ? { parentId: null } : placeAtEnd(tx, id);
}

interface OpenThread {
  id: string;
  graph: string | null;
  created: boolean;
  /** Resolves when the thread is stored. Later statements of the transaction need not wait for it. */
  stored: Promise<unknown>;
}

/** Locks a thread, and stores it if it is new. */
async function openThread(tx: Tx, turn: NewTurn, threadId: string): Promise<OpenThread> {
  const isNew = turn.threadId === undefined;
  const id = newId();
  const graph = turn.graph ?? null;
  // Sent together: the server runs the insert after it has the lock.
  const locked = isNew ? undefined : lockThread(tx, threadId);
  const storing = tx<Omit<OpenThread, "stored">[]>`
    insert into decision_sets (id, thread_id, owner_id, title, graph)
    values (${id}, ${threadId}, ${turn.ownerId}, ${titleOf(turn.content)}, ${graph})
    on conflict (thread_id) do update set updated_at = clock_timestamp(), graph = coalesce(excluded.graph, decision_sets.graph)
      where decision_sets.owner_id = excluded.owner_id
    returning id, graph, xmax = 0 as created`.execute();
  const stored = together([locked, storing]);
  stored.catch(() => undefined);
  // No other transaction knows the new id yet, so there is nothing to wait for.
  if (isNew) return { id, graph, created: true, stored };
  const [, [row]] = await stored;
  if (!row) throw new NotFoundError("Thread", threadId);
  return { ...row, stored };
}

function titleOf(content: string): string {
  const line = content.trim().replaceAll(/\s+/g, " ");
  if (line.length <= TITLE_CHARS) return line;
  const start = Array.from(line).slice(0, TITLE_CHARS - 1);
  return `${start.join("")}…`;
}
