import type { Tx } from "#db";
import { InvalidJobError } from "#queue";
import type { MessageRole } from "#shared/contracts";

/** The place of a new message in its thread, and the checkpoint at which its turn begins. */
export interface Place {
  /** The message before it; null for the first message of a branch. */
  parentId: string | null;
  /** Absent when the turn begins at the thread's newest checkpoint. With a null id it begins without a past. */
  branch?: { checkpointId: string | null };
}

interface Row {
  id: string;
  parent_id: string | null;
  role: MessageRole;
  checkpoint_id: string | null;
  /** The branch of the message's turn, if the turn ended before it ever ran. */
  unused: Place["branch"] | null;
}

/** The place after the newest message. If the newest turn never ran, the new turn takes over its branch. */
export async function placeAtEnd(tx: Tx, decisionSetId: string): Promise<Place> {
  const [newest] = await tx<Row[]>`
    select messages.id, messages.parent_id, role, checkpoint_id,
      case when role = 'user' and jobs.started_at is null and jobs.completed_at is not null then jobs.payload -> 'branch' end as unused
    from messages left join jobs on jobs.id = messages.job_id
    where messages.decision_set_id = ${decisionSetId} order by messages.seq desc limit 1`;
  if (!newest) return { parentId: null };
  return { parentId: newest.id, ...(newest.unused && { branch: newest.unused }) };
}

/**
 * The branch of a turn that runs again after later turns: the thread's newest checkpoint would contain their messages.
 * Undefined when no later turn has run.
 */
export async function branchForRerun(tx: Tx, jobId: string): Promise<Place["branch"]> {
  const [turn] = await tx<{ id: string; decision_set_id: string }[]>`
    select messages.id, messages.decision_set_id from jobs join messages on messages.job_id = jobs.id and messages.role = 'user'
    where jobs.id = ${jobId} and exists (
      select 1 from jobs as later where later.thread_id = jobs.thread_id and later.seq > jobs.seq and later.started_at is not null)`;
  return turn && (await placeAt(tx, turn.decision_set_id, turn.id)).branch;
}

/** Gives the branch of a turn that will never run to the turn after it. */
export async function passOnBranch(tx: Tx, jobId: string): Promise<void> {
  await tx`
    update jobs as next set payload = next.payload || jsonb_build_object('branch', jobs.payload -> 'branch')
    from jobs join messages on messages.job_id = jobs.id and messages.role = 'user'
      join messages as following on following.parent_id = messages.id and following.role = 'user'
    where jobs.id = ${jobId} and jobs.started_at is null and jobs.payload ? 'branch'
      and next.id = following.job_id and next.started_at is null and not next.payload ? 'branch'`;
}

/**
 * The place after a reply, or in place of a user's message. The turn begins at the checkpoint before the new message.
 * @throws InvalidJobError when the thread has no such message.
 */
export async function placeAt(tx: Tx, decisionSetId: string, messageId: string): Promise<Place> {
  const named = await read(tx, decisionSetId, messageId);
  if (!named) throw new InvalidJobError(`parentId ${messageId} is no message of this thread`);
  if (named.role !== "user") return { parentId: named.id, branch: { checkpointId: named.checkpoint_id } };
  const parent = named.parent_id === null ? undefined : await read(tx, decisionSetId, named.parent_id);
  return { parentId: parent?.id ?? null, branch: { checkpointId: parent?.checkpoint_id ?? null } };
}

async function read(tx: Tx, decisionSetId: string, messageId: string): Promise<Row | undefined> {
  const [row] = await tx<Row[]>`
    select id, parent_id, role, checkpoint_id from messages where id = ${messageId} and decision_set_id = ${decisionSetId}`;
  return row;
}

export interface PastMessage {
  id: string;
  role: MessageRole;
  content: string;
}

/** The messages before a message on its branch, oldest first. A turn whose checkpoint was pruned starts from them. */
export async function readPast(tx: Tx, messageId: string): Promise<PastMessage[]> {
  return tx<PastMessage[]>`
    with recursive past as (
      select parent_id, 0 as depth from messages where id = ${messageId}
      union all
      select messages.parent_id, past.depth + 1 from past join messages on messages.id = past.parent_id
    )
    select messages.id, role, content from past join messages on messages.id = past.parent_id order by depth desc`;
}
