import { newId } from "#db";
import type { Tx } from "#db";
import { checkPayload, InvalidJobError } from "#queue";
import type { JobKey, LockedJob } from "#queue";
import { redrive } from "#queue/operate";
import { z } from "zod";
import { contentSchema } from "#shared/fields";
import { branchForRerun, placeAt } from "./branch.ts";

/**
 * Queues a job again like `redrive`. A given payload replaces the job's payload. A turn with a changed payload starts over;
 * otherwise it resumes from its last checkpoint. The caller must check that the payload fits the job type.
 * @throws InvalidJobError when the payload cannot be stored or a turn's content is invalid; NotFoundError and
 * JobConflictError as `redrive` does.
 */
export async function redriveTurn(tx: Tx, key: JobKey, { payload }: { payload?: unknown } = {}): Promise<void> {
  if (payload !== undefined) checkPayload(payload);
  await redrive(tx, key, { revise: async (job) => revise(tx, job, payload) });
}

interface StoredTurn {
  payload: string;
  is_same: boolean;
  message_id: string | null;
  decision_set_id: string | null;
}

/** The new payload as JSON text; undefined when the job keeps its payload. */
async function revise(tx: Tx, { jobId, status }: LockedJob, edited: unknown): Promise<string | undefined> {
  const editedJson = edited === undefined ? null : JSON.stringify(edited);
  const [job] = await tx<StoredTurn[]>`
    select jobs.payload::text as payload, coalesce(jobs.payload = ${editedJson}::text::jsonb, true) as is_same,
      messages.id as message_id, messages.decision_set_id
    from jobs left join messages on messages.job_id = jobs.id and messages.role = 'user' where jobs.id = ${jobId}`;
  if (!job) return undefined;
  const { message_id: messageId, decision_set_id: decisionSetId } = job;
  if (messageId === null || decisionSetId === null) return job.is_same ? undefined : (editedJson ?? undefined);
  if (!job.is_same) return JSON.stringify(await startOver(tx, { jobId, messageId, decisionSetId }, edited));
  return status === "queued" ? undefined : JSON.stringify(await continueTurn(tx, jobId, job.payload));
}

/**
 * Restarts an edited turn at the place of its message. The old run's questions and answers belong to the old message and
 * are deleted; the conversation shows the new message.
 */
async function startOver(
  tx: Tx,
  turn: { jobId: string; messageId: string; decisionSetId: string },
  edited: unknown,
): Promise<object> {
  // An editor sends the stored fields back, and the thread may have gone on since.
  const { freshThread: _freshThread, ...payload } = checkTurn(edited);
  const { branch } = await placeAt(tx, turn.decisionSetId, turn.messageId);
  await tx`delete from job_interrupts where job_id = ${turn.jobId}`;
  await tx`update messages set content = ${payload.content} where id = ${turn.messageId}`;
  return { ...payload, messageId: turn.messageId, branch, runId: newId() };
}

/** Resumes an ended turn, on a branch if later turns have run. Its thread may have checkpoints, so it is no longer fresh. */
async function continueTurn(tx: Tx, jobId: string, stored: string): Promise<object> {
  const { freshThread: _freshThread, ...payload } = JSON.parse(stored) as Record<string, unknown>;
  const branch = await branchForRerun(tx, jobId);
  return { ...payload, ...(branch && { branch }) };
}

const turnSchema = z.looseObject({ content: contentSchema }, "must be an object with content");

/** Applies the rules of a submitted message, for every job type. */
function checkTurn(payload: unknown): z.infer<typeof turnSchema> {
  const parsed = turnSchema.safeParse(payload);
  if (parsed.success) return parsed.data;
  throw new InvalidJobError(`payload: ${parsed.error.issues.map((issue) => issue.message).join("; ")}`);
}
