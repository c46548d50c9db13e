import type { Tx } from "#db";
import type { MessageRole } from "#shared/contracts";

export interface NewMessage {
  id: string;
  role: MessageRole;
  content: string;
  decisionSetId: string;
  /** Null for a message that seeds a thread. */
  jobId: string | null;
  /** The message before it; null for the first message of a branch. */
  parentId: string | null;
}

/** Adds a message to its decision set. Skips the message if its job was not stored, because the job's key was taken. */
export async function addMessage(tx: Tx, message: NewMessage): Promise<void> {
  await tx`
    insert into messages (id, decision_set_id, job_id, parent_id, role, content)
    select ${message.id}, ${message.decisionSetId}, ${message.jobId}::uuid, ${message.parentId}::uuid,
      ${message.role}::message_role, ${message.content}
    where ${message.jobId}::uuid is null or exists (select 1 from jobs where id = ${message.jobId}::uuid)`;
}
