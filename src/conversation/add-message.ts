import type { Tx } from "#db";
import type { MessageRole } from "#shared/contracts";

export interface NewMessage {
  id: string;
  role: MessageRole;
  content: string;
  decisionSetId: string;
  /** Null for a message that seeds a thread. */
  jobId: string | null;
  /** The message that it follows; null for the first of a branch. */
  parentId: string | null;
  /** Of a reply: where its turn ended; null where that is not known. */
  checkpointId?: string | null | undefined;
}

/** Adds a message to its decision set; nothing where its job is not stored. */
export async function addMessage(tx: Tx, message: NewMessage): Promise<void> {
  await tx`
    insert into messages (id, decision_set_id, job_id, parent_id, checkpoint_id, role, content)
    select ${message.id}, ${message.decisionSetId}, ${message.jobId}::uuid, ${message.parentId}::uuid, ${message.checkpointId ?? null},
      ${message.role}::message_role, ${message.content}
    where ${message.jobId}::uuid is null or exists (select 1 from jobs where id = ${message.jobId}::uuid)`;
}
