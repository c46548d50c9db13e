import { z } from "zod";
import type { Tx } from "#db";
import { contentSchema } from "#shared/fields";
import { placeAt } from "./branch.ts";
import { InvalidJobError } from "./errors.ts";
import { newId } from "./new-id.ts";

/**
 * The payload to store where a job is to run again with an edited one; undefined where that is the one it has. A chat
 * turn then begins anew where it began: its old run, what that asked and what was answered to it belong to another
 * message, and the conversation shows the new one. Call it with the job locked.
 * @throws InvalidJobError when the payload of a turn has no content that could have been submitted.
 */
export async function editPayload(tx: Tx, jobId: string, payload: unknown): Promise<unknown> {
  const [job] = await tx<{ same: boolean; message_id: string | null; decision_set_id: string | null }[]>`
    select payload = ${JSON.stringify(payload)}::text::jsonb as same, messages.id as message_id, messages.decision_set_id
    from jobs left join messages on messages.job_id = jobs.id and messages.role = 'user' where jobs.id = ${jobId}`;
  if (job?.same) return undefined;
  if (!job?.message_id || !job.decision_set_id) return payload;
  const turn = checkTurn(payload);
  const { branch } = await placeAt(tx, job.decision_set_id, job.message_id);
  await tx`delete from job_interrupts where job_id = ${jobId}`;
  await tx`update messages set content = ${turn.content} where id = ${job.message_id}`;
  return { ...turn, messageId: job.message_id, branch, runId: newId() };
}

const turnSchema = z.looseObject({ content: contentSchema }, "must be an object with content");

/** A turn's message is held to the same rules as when it was submitted, whatever the job's type. */
function checkTurn(payload: unknown): z.infer<typeof turnSchema> {
  const parsed = turnSchema.safeParse(payload);
  if (parsed.success) return parsed.data;
  throw new InvalidJobError(`payload: ${parsed.error.issues.map((issue) => issue.message).join("; ")}`);
}
