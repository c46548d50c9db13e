import type { Database } from "#queue";
import { MemorySaver } from "@langchain/langgraph";
import { buildMlWorkflow } from "#graph";
import { retryTransaction } from "../retry-transaction.ts";
import type { Acknowledged } from "./acknowledged.ts";
import { QUARANTINE_CRASHES, CANCELLED_PROMPT } from "../load-facts.ts";

/** Each query returns the rows that break its promise. */
const RULES: Record<string, string> = {
  "every job has ended":
    "select id, job_type, status, hold from jobs where status not in ('completed', 'failed', 'cancelled')",
  "a completed job has its effect once, and every other job has none": `
    select id, job_type, status, (select count(*) from chaos_effects where job_id = jobs.id) as effects from jobs
    where decision_set_id is null and (select count(*) from chaos_effects where job_id = jobs.id) <> (status = 'completed' and job_type <> 'plain')::int`,
  "a completed turn has one reply": `
    select id, status, (select count(*) from messages where job_id = jobs.id and role = 'assistant') as replies from jobs
    where decision_set_id is not null and ((select count(*) from messages where job_id = jobs.id and role = 'assistant') <> (status = 'completed')::int
      or (select count(*) from messages where job_id = jobs.id and role = 'user') <> 1)`,
  "decision versions have no gap": `
    select decision_set_id, count(*), max(version) from decision_versions group by 1 having count(*) <> max(version)`,
  "no turn of a conversation failed": `
    select id, status, error_message, cancel_requested_at from jobs where decision_set_id is not null and status <> 'completed'
      and not (status = 'cancelled' and payload ->> 'content' = '${CANCELLED_PROMPT}')`,
  "retries and crashes stay within their limits":
    "select id, retry_count, max_retries, crash_count, max_crashes from jobs where retry_count > max_retries or crash_count > max_crashes",
  "a crash uses no retry, and an error counts as no crash": `
    select id, retry_count, crash_count from jobs where retry_count > (
      select count(*) from job_attempts where job_id = jobs.id and outcome in ('failed', 'timed_out'))
    or crash_count - (payload ? 'quarantined')::int * ${QUARANTINE_CRASHES} > (select count(*) from job_attempts where job_id = jobs.id and outcome in ('lease_expired', 'crashed'))`,
  "every claim has an attempt row or a completion": `
    select id, attempt, status from jobs
    where attempt <> (select count(*) from job_attempts where job_id = jobs.id) + (status = 'completed')::int`,
  "event logs have no gap": `
    select id, event_seq from jobs where event_seq <> (select count(*) from job_events where job_id = jobs.id)
      or event_seq <> coalesce((select max(seq) from job_events where job_id = jobs.id), 0)`,
  "the turns of a thread ended in submit order": `
    select job.id, earlier.id as earlier from jobs as job join jobs as earlier on earlier.thread_id = job.thread_id and earlier.seq < job.seq
    where job.decision_set_id is not null and earlier.completed_at > job.started_at`,
  "no two attempts of a thread overlap": `
    with run as (
      select job_id, jobs.thread_id, job_attempts.attempt, job_attempts.started_at, ended_at from job_attempts join jobs on jobs.id = job_id
      union all
      select id, thread_id, attempt, claimed_at, completed_at from jobs where status = 'completed'
    )
    select one.job_id, one.attempt, other.job_id as other, other.attempt as other_attempt from run as one join run as other
      on other.thread_id = one.thread_id and (other.job_id, other.attempt) > (one.job_id, one.attempt)
    where other.started_at < one.ended_at and one.started_at < other.ended_at`,
  "a schedule has one job for each tick": `
    select schedule_id, scheduled_for, count(*) from jobs where schedule_id is not null group by 1, 2
    having count(*) > 1 or scheduled_for <> date_trunc('second', scheduled_for)`,
  // An attempt without its lease may start a node that another attempt has stored. Its writes are fenced.
  "no node runs again after its result is stored":
    "select job_id, node, attempt, stored_by from chaos_nodes where stored_by <= attempt",
  "no attempt runs a node twice":
    "select job_id, attempt, node, count(*) from chaos_nodes group by 1, 2, 3 having count(*) > 1",
  "only the claim that holds its lease stores checkpoints":
    "select kind, thread_id, ns, task_id, job_id, attempt, writer from chaos_stored where not held",
  "every node of a graph's turn is stored before the turn ends": `
    select job_id, node from chaos_nodes join jobs on jobs.id = job_id where status = 'completed' group by 1, 2
    having not exists (
      select 1 from chaos_nodes as run join chaos_stored as stored on stored.task_id = run.task_id
      where run.job_id = chaos_nodes.job_id and run.node = chaos_nodes.node and stored.ended)`,
  "no attempt reports a task twice": `
    select job_id, attempt, data, count(*) from job_events where type = 'task' group by 1, 2, 3 having count(*) > 1`,
  "no job waits at a limit":
    "select queue, key from limit_keys where admit_at < clock_timestamp() - interval '10 seconds'",
};

/** Returns the broken promises, after every job has ended; empty when every promise was kept. */
export async function checkTables(db: Database, acknowledged: Acknowledged): Promise<string[]> {
  const faults: string[] = [];
  for (const [rule, sql] of Object.entries(RULES)) {
    const rows = await retryTransaction(db, async (tx) => tx.unsafe(sql));
    if (rows.length > 0)
      faults.push(`${rule}: broken ${rows.length} times, for example ${JSON.stringify(rows.slice(0, 3))}`);
  }
  const rows = await retryTransaction(
    db,
    async (tx) => tx<{ id: string; mark: string | null }[]>`
      select id, payload ->> 'mark' as mark from jobs where schedule_id is null`,
  );
  const stored = new Set(rows.map((row) => row.id));
  const lost = [...acknowledged.jobs].filter((id) => !stored.has(id));
  if (lost.length > 0)
    faults.push(`every acknowledged job is stored: missing ${lost.slice(0, 5).join(", ")} (${lost.length} in all)`);
  const unexpected = rows
    .filter(({ id, mark }) => !acknowledged.jobs.has(id) && !acknowledged.uncertain.has(mark ?? ""))
    .map(({ id }) => id);
  if (unexpected.length > 0)
    faults.push(
      `every stored job was submitted: unknown ${unexpected.slice(0, 5).join(", ")} (${unexpected.length} in all)`,
    );
  faults.push(
    ...(await checkAttemptCounts(db, acknowledged)),
    ...(await checkOrder(db, acknowledged)),
    ...(await checkConversations(db, acknowledged)),
  );
  return faults;
}

async function checkAttemptCounts(db: Database, acknowledged: Acknowledged): Promise<string[]> {
  const rows = await retryTransaction(
    db,
    async (tx) => tx<{ id: string; most: number; ended: number; how: string }[]>`
      select id, max_retries as most, (select count(*)::int from job_attempts where job_id = jobs.id and outcome in ('failed', 'timed_out')) as ended,
        'failed' as how from jobs
      union all
      select id, max_crashes, (select count(*)::int from job_attempts where job_id = jobs.id and outcome in ('lease_expired', 'crashed')),
        'crashed' from jobs`,
  );
  return rows
    .filter((job) => job.ended > (job.most + 1) * ((acknowledged.redriven.get(job.id) ?? 0) + 1))
    .map(
      (job) =>
        `attempts stay within their limit: job ${job.id} ${job.how} ${job.ended} times, and ${job.most} retries are allowed`,
    );
}

/** The jobs of a thread complete in submit order, except redriven ones. */
async function checkOrder(db: Database, acknowledged: Acknowledged): Promise<string[]> {
  const rows = await retryTransaction(
    db,
    async (tx) => tx<{ id: string; thread_id: string; completed_at: Date }[]>`
      select id, thread_id, completed_at from jobs where thread_id is not null and status = 'completed' order by thread_id, seq`,
  );
  const kept = rows.filter((row) => !acknowledged.redriven.has(row.id));
  return kept.flatMap((row, index) => {
    const before = kept[index - 1];
    if (!before || before.thread_id !== row.thread_id || before.completed_at <= row.completed_at) return [];
    return [`jobs of a thread complete in submit order: ${row.id} completed before ${before.id}`];
  });
}

/** Compares the replies of each conversation with the built-in graph, run without faults. */
async function checkConversations(db: Database, acknowledged: Acknowledged): Promise<string[]> {
  const faults: string[] = [];
  for (const [threadId, { graph: name, turns }] of acknowledged.threads) {
    if (name !== null) continue;
    const graph = buildMlWorkflow({ checkpointer: new MemorySaver(), model: null });
    for (const { jobId, content } of turns) {
      const signal = new AbortController().signal;
      const expected = await graph.runTurn(
        { threadId, messageId: jobId, content, history: [] },
        { runId: jobId, signal },
      );
      const [message] = await retryTransaction(
        db,
        async (tx) =>
          tx<{ content: string }[]>`select content from messages where job_id = ${jobId} and role = 'assistant'`,
      );
      if (message && message.content !== expected.reply) {
        faults.push(`conversations equal the reference run: the reply of job ${jobId} of thread ${threadId} differs`);
        break;
      }
      const tokens = await retryTransaction(
        db,
        async (tx) => tx<{ attempt: number; text: string }[]>`
          select attempt, string_agg(data ->> 'text', '' order by seq) as text from job_events
          where job_id = ${jobId} and type = 'token' group by attempt`,
      );
      // The log of an attempt that died has the beginning of the reply. No log has a part twice.
      for (const { attempt, text } of tokens)
        if (!expected.reply.startsWith(text))
          faults.push(`an attempt's log has the reply once: not attempt ${attempt} of job ${jobId}`);
    }
  }
  return faults;
}

/** Counts the outcomes of the run for the report; `dead` are the ids of the killed workers. */
export async function countOutcomes(
  db: Database,
  dead: readonly string[],
): Promise<Record<"jobs" | "kills" | "nodes", Record<string, number>>> {
  const [jobs] = await retryTransaction(
    db,
    async (tx) =>
      tx<Record<string, number>[]>`
      select count(*)::int as jobs, count(*) filter (where status = 'completed')::int as completed, count(*) filter (where status = 'failed')::int as failed,
        count(*) filter (where status = 'cancelled')::int as cancelled, sum(attempt)::int as attempts,
        count(*) filter (where schedule_id is not null)::int as scheduled,
        (select count(*)::int from job_attempts where outcome = 'lease_expired') as reaped,
        (select count(*)::int from job_attempts where outcome = 'released') as released,
        (select count(*)::int from job_attempts where outcome = 'crashed') as crashed_in_quarantine,
        count(*) filter (where crash_count >= ${QUARANTINE_CRASHES} and status = 'completed')::int as completed_in_quarantine,
        (select count(*)::int from messages where role = 'assistant') as replies from jobs`,
  );
  // The attempts of a dead worker end as lease_expired, with its worker id.
  const [kills] = await retryTransaction(
    db,
    async (tx) =>
      tx<Record<string, number>[]>`
      select count(distinct job_attempts.worker_id)::int as hit_jobs,
        count(distinct job_attempts.worker_id) filter (where job_type like 'graph:%')::int as hit_graph_runs,
        count(*) filter (where job_type like 'graph:%')::int as graph_runs_hit
      from job_attempts join jobs on jobs.id = job_id where outcome = 'lease_expired' and job_attempts.worker_id = any(${dead as string[]}::text[])`,
  );
  const [nodes] = await retryTransaction(
    db,
    async (tx) =>
      tx<Record<string, number>[]>`
      select count(*)::int as node_runs, (count(*) - count(distinct (job_id, node)))::int as reruns,
        count(*) filter (where stored_by > attempt)::int as runs_without_lease,
        (select count(*)::int from chaos_stored) as rows_stored from chaos_nodes`,
  );
  return { jobs: jobs ?? {}, kills: kills ?? {}, nodes: nodes ?? {} };
}
