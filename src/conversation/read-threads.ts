import type { Executor } from "#db";
import { NotFoundError } from "#queue";
import { addUsage, detailColumns, jobColumns, toStatusView, usagesOf } from "#queue/read";
import type { DetailColumns, JobColumns } from "#queue/read";
import { iso } from "#shared/iso";
import type { DecisionSet, DecisionVersion, Message, MessageRole, Thread, ThreadRow } from "#shared/contracts";
import type { Usage } from "#shared/usage";

interface SetColumns {
  id: string;
  thread_id: string;
  title: string;
  graph: string | null;
  status: string;
  current_version: number;
  created_at: string;
  updated_at: string;
}

const toThreadRow = (row: SetColumns): ThreadRow => ({
  threadId: row.thread_id,
  decisionSetId: row.id,
  title: row.title,
  graph: row.graph,
  createdAt: iso(row.created_at),
  updatedAt: iso(row.updated_at),
});

/** The owner's threads, the last used first. */
export async function listThreads(
  sql: Executor,
  { ownerId, limit }: { ownerId: string; limit: number },
): Promise<ThreadRow[]> {
  const rows = await sql<SetColumns[]>`
    select * from decision_sets where owner_id = ${ownerId} order by updated_at desc limit ${limit}`;
  return rows.map(toThreadRow);
}

/** The size of a message without its content, in bytes of JSON: ids, times and usage. */
const MESSAGE_BYTES = 300;

export interface MessagePage {
  /** The `olderCursor` of the next newer page; the newest messages unless given. */
  before?: string | null | undefined;
  /** The approximate size of the page in bytes; it has at least one message. All messages unless given. */
  maxBytes?: number;
}

/**
 * One conversation: its messages and its jobs that have not completed, oldest first.
 * @throws NotFoundError when the owner has no such thread.
 */
export async function getThread(
  sql: Executor,
  { ownerId, threadId }: { ownerId: string; threadId: string },
  page: MessagePage = {},
): Promise<Thread> {
  const [set] = await sql<SetColumns[]>`
    select * from decision_sets where thread_id = ${threadId} and owner_id = ${ownerId}`;
  if (!set) throw new NotFoundError("Thread", threadId);
  // Jobs are read before messages: a reply that commits in between appears beside its job instead of not at all.
  const jobs = await sql<(JobColumns & DetailColumns)[]>`
    select ${jobColumns(sql)}, ${detailColumns(sql)} from jobs where thread_id = ${threadId} and status <> 'completed' order by seq`;
  const messages = await readMessages(sql, set.id, page);
  return {
    ...toThreadRow(set),
    currentVersion: set.current_version,
    jobs: jobs.map((row) => toStatusView({ ...row, reply: null })),
    messages: messages.map(toMessage),
    olderCursor: messages[0]?.has_older ? messages[0].seq : null,
  };
}

interface MessageColumns {
  id: string;
  seq: string;
  parent_id: string | null;
  role: MessageRole;
  content: string;
  job_id: string | null;
  usages: Usage[] | null;
  created_at: string;
  has_older: boolean;
}

async function readMessages(sql: Executor, setId: string, page: MessagePage): Promise<MessageColumns[]> {
  const { before = null, maxBytes = null } = page;
  return sql<MessageColumns[]>`
    select messages.id, messages.seq::text as seq, parent_id, role, content, job_id, messages.created_at, place < total as has_older,
      case when role = 'assistant' then ${usagesOf(sql)} end as usages
    from (
      select *, row_number() over newest as place, count(*) over () as total,
        sum(octet_length(content) + ${MESSAGE_BYTES}::int) over newest as bytes
      from messages
      where decision_set_id = ${setId} and (${before}::bigint is null or seq < ${before}::bigint)
      window newest as (order by seq desc)
    ) as messages left join jobs on jobs.id = messages.job_id
    where place = 1 or ${maxBytes}::bigint is null or bytes <= ${maxBytes}::bigint
    order by messages.seq`;
}

function toMessage(row: MessageColumns): Message {
  return {
    id: row.id,
    parentId: row.parent_id,
    role: row.role,
    content: row.content,
    jobId: row.job_id,
    usage: addUsage(row.usages),
    createdAt: iso(row.created_at),
  };
}

interface SetKey {
  ownerId: string;
  decisionSetId: string;
}

/**
 * A decision set with its newest version; `latest` is null before the first.
 * @throws NotFoundError when the owner has no such decision set.
 */
export async function getDecisionSet(sql: Executor, { ownerId, decisionSetId }: SetKey): Promise<DecisionSet> {
  const [set] = await sql<SetColumns[]>`
    select * from decision_sets where id = ${decisionSetId} and owner_id = ${ownerId}`;
  if (!set) throw new NotFoundError("Decision set", decisionSetId);
  return {
    ...toThreadRow(set),
    status: set.status,
    currentVersion: set.current_version,
    latest:
      set.current_version > 0
        ? await getDecisionVersion(sql, { ownerId, decisionSetId, version: set.current_version })
        : null,
  };
}

/**
 * One version of a decision set.
 * @throws NotFoundError when the owner has no such decision set or the set has no such version.
 */
export async function getDecisionVersion(sql: Executor, key: SetKey & { version: number }): Promise<DecisionVersion> {
  const [row] = await sql<DecisionVersion[]>`
    select version, requirements, plan, alternatives, costs, risks, policy, rationale, diff, decision_versions.job_id as "jobId",
      decision_versions.created_at as "createdAt"
    from decision_versions join decision_sets on decision_sets.id = decision_set_id
    where decision_set_id = ${key.decisionSetId} and owner_id = ${key.ownerId} and version = ${key.version}`;
  if (!row) throw new NotFoundError("Decision set", key.decisionSetId);
  return { ...row, createdAt: iso(row.createdAt) };
}
