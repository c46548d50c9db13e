import type { Executor } from "#db";
import type { DecisionSet, DecisionVersion, Message, MessageRole, Thread, ThreadRow } from "#shared/contracts";
import { DecisionSetNotFoundError, ThreadNotFoundError } from "./errors.ts";
import type { Usage } from "#shared/usage";
import { addUsage, detailColumns, iso, jobColumns, toStatusView, usagesOf } from "./job-view.ts";
import type { DetailColumns, JobColumns } from "./job-view.ts";

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

/** The owner's threads, most lately used first. */
export async function listThreads(
  sql: Executor,
  { ownerId, limit }: { ownerId: string; limit: number },
): Promise<ThreadRow[]> {
  const rows = await sql<SetColumns[]>`
    select * from decision_sets where owner_id = ${ownerId} order by updated_at desc limit ${limit}`;
  return rows.map(toThreadRow);
}

/**
 * One conversation: its messages, and the jobs that have not completed, oldest first.
 * @throws ThreadNotFoundError when the owner has no such thread.
 */
export async function getThread(
  sql: Executor,
  { ownerId, threadId }: { ownerId: string; threadId: string },
): Promise<Thread> {
  const [set] = await sql<
    SetColumns[]
  >`select * from decision_sets where thread_id = ${threadId} and owner_id = ${ownerId}`;
  if (!set) throw new ThreadNotFoundError();
  // Jobs before messages: a reply that commits in between is then shown beside its job, never missing.
  const jobs = await sql<(JobColumns & DetailColumns)[]>`
    select ${jobColumns(sql)}, ${detailColumns(sql)} from jobs where thread_id = ${threadId} and status <> 'completed' order by seq`;
  const messages = await sql<
    {
      id: string;
      parent_id: string | null;
      role: MessageRole;
      content: string;
      job_id: string | null;
      usages: Usage[] | null;
      created_at: string;
    }[]
  >`
    select messages.id, parent_id, role, content, job_id, messages.created_at,
      case when role = 'assistant' then ${usagesOf(sql)} end as usages
    from messages left join jobs on jobs.id = messages.job_id
    where messages.decision_set_id = ${set.id} order by messages.seq`;
  return {
    ...toThreadRow(set),
    currentVersion: set.current_version,
    jobs: jobs.map((row) => toStatusView({ ...row, reply: null })),
    messages: messages.map((row): Message => ({
      id: row.id,
      parentId: row.parent_id,
      role: row.role,
      content: row.content,
      jobId: row.job_id,
      usage: addUsage(row.usages),
      createdAt: iso(row.created_at),
    })),
  };
}

interface SetKey {
  ownerId: string;
  decisionSetId: string;
}

/**
 * What a thread is designing, with its newest version (null before the first).
 * @throws DecisionSetNotFoundError when the owner has no such decision set.
 */
export async function getDecisionSet(sql: Executor, { ownerId, decisionSetId }: SetKey): Promise<DecisionSet> {
  const [set] = await sql<
    SetColumns[]
  >`select * from decision_sets where id = ${decisionSetId} and owner_id = ${ownerId}`;
  if (!set) throw new DecisionSetNotFoundError();
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
 * One numbered result of a decision set.
 * @throws DecisionSetNotFoundError when the owner has no such decision set or it no such version.
 */
export async function getDecisionVersion(sql: Executor, key: SetKey & { version: number }): Promise<DecisionVersion> {
  const [row] = await sql<
    (Omit<DecisionVersion, "jobId" | "createdAt"> & { job_id: string | null; created_at: string })[]
  >`
    select decision_versions.* from decision_versions join decision_sets on decision_sets.id = decision_set_id
    where decision_set_id = ${key.decisionSetId} and owner_id = ${key.ownerId} and version = ${key.version}`;
  if (!row) throw new DecisionSetNotFoundError();
  const { version, requirements, plan, alternatives, costs, risks, policy, rationale, diff } = row;
  return {
    version,
    requirements,
    plan,
    alternatives,
    costs,
    risks,
    policy,
    rationale,
    diff,
    jobId: row.job_id,
    createdAt: iso(row.created_at),
  };
}
