import type { Database } from "#queue";
import { checkCancels } from "./check-cancels.ts";
import { checkLimits } from "./check-limits.ts";
import { checkRuns } from "./check-runs.ts";
import { checkStatuses } from "./check-statuses.ts";
import { groupBy } from "./group-by.ts";
import type { Entry, History } from "../history.ts";
import { retryTransaction } from "../retry-transaction.ts";

/** The final state of a job. */
export interface FinalJob {
  id: string;
  seq: string;
  status: string;
  attempt: number;
  thread_id: string | null;
  queue: string;
  limit_key: string | null;
  reply: string | null;
  /** The outcome of each attempt in the job's history. */
  outcomes: Record<string, string>;
}

/** The recorded history and the final jobs. */
export interface Evidence extends History {
  jobs: ReadonlyMap<string, FinalJob>;
}

/** Compares the history of the clients and handlers with the tables. Returns the broken promises. */
export async function checkHistory(db: Database, history: History) {
  const evidence: Evidence = { ...history, jobs: await readFinalJobs(db) };
  const cancels = checkCancels(evidence);
  const examplesByRule: Record<string, string[]> = {
    ...checkRuns(evidence),
    ...cancels.faults,
    ...checkStatuses(evidence),
    ...(await checkLimits(db, evidence)),
    "threads keep the order in which their jobs were acknowledged": checkSubmitOrder(evidence),
    "the API refuses only conflicts, and never fails": checkAnswers(history.entries),
  };
  const faults = Object.entries(examplesByRule)
    .filter(([, examples]) => examples.length > 0)
    .map(
      ([rule, examples]) => `${rule}: broken ${examples.length} times, for example ${examples.slice(0, 3).join("; ")}`,
    );
  return { faults, counts: { ...countEntries(history.entries), runs: history.runs.length, ...cancels.counts } };
}

async function readFinalJobs(db: Database): Promise<Map<string, FinalJob>> {
  const rows = await retryTransaction(
    db,
    async (tx) => tx<(Omit<FinalJob, "outcomes"> & { outcomes: string })[]>`
      select id, seq, status, attempt, thread_id, queue, limit_key,
        (select content from messages where job_id = jobs.id and role = 'assistant' limit 1) as reply,
        (select coalesce(json_object_agg(attempt, outcome), '{}') from job_attempts where job_id = jobs.id)::text as outcomes
      from jobs`,
  );
  return new Map(rows.map((row) => [row.id, { ...row, outcomes: JSON.parse(row.outcomes) as Record<string, string> }]));
}

/** Checks the order in a thread: a job acknowledged before another was first sent has the lower `seq`. */
export function checkSubmitOrder({ entries, jobs }: Evidence): string[] {
  const sentMs = new Map<string, number>();
  const acknowledged = entries
    .filter(({ verb }) => verb === "submit" || verb === "enqueue")
    .flatMap(({ jobIds, turn, ...entry }) => {
      // A turn has no id before its first answer. Its idempotency key links the earlier requests.
      for (const key of turn ? [turn.key] : jobIds)
        sentMs.set(key, Math.min(sentMs.get(key) ?? Infinity, entry.sentMs));
      return entry.outcome === "answered"
        ? jobIds.map((id) => ({ id, endedMs: entry.endedMs, key: turn?.key ?? id, job: jobs.get(id) }))
        : [];
    });
  const byThread = groupBy(acknowledged, ({ job }) => job?.thread_id ?? null);
  byThread.delete(null);
  return [...byThread.values()].flatMap((found) =>
    found.flatMap((one) =>
      found
        .filter((other) => one.endedMs < (sentMs.get(other.key) ?? 0) && Number(one.job?.seq) > Number(other.job?.seq))
        .map((other) => `job ${one.id} was acknowledged before ${other.id} was sent, but comes after it`),
    ),
  );
}

function checkAnswers(entries: readonly Entry[]): string[] {
  const acceptable = new Set([undefined, "CONFLICT", "SERVICE_UNAVAILABLE"]);
  return entries
    .filter(({ code }) => !acceptable.has(code))
    .map(({ verb, code, jobIds }) => `${verb} of ${jobIds.join(", ")}: ${code}`);
}

function countEntries(entries: readonly Entry[]): Record<string, number> {
  const counts: Record<string, number> = { requests: entries.length };
  for (const { verb, outcome } of entries) {
    const name = outcome === "answered" ? verb : outcome;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
