import type { Database } from "#queue";
import { checkCancels } from "./check-cancels.ts";
import { checkLimits } from "./check-limits.ts";
import { checkRuns } from "./check-runs.ts";
import { checkStatuses } from "./check-statuses.ts";
import { groupBy } from "./group-by.ts";
import type { Entry, History } from "../history.ts";
import { insist } from "../retry-transaction.ts";

/** Where a job stands once everything has ended. */
export interface FinalJob {
  id: string;
  seq: string;
  status: string;
  attempt: number;
  thread_id: string | null;
  queue: string;
  limit_key: string | null;
  reply: string | null;
  /** How each attempt ended that is in the job's history. */
  outcomes: Record<string, string>;
}

/** What the rules of the history judge. */
export interface Evidence extends History {
  jobs: ReadonlyMap<string, FinalJob>;
}

/** What of the clients' and the handlers' history does not fit the tables, by the rule that it breaks. */
export async function checkHistory(db: Database, history: History) {
  const evidence: Evidence = { ...history, jobs: await readFinalJobs(db) };
  const cancels = checkCancels(evidence);
  const found: Record<string, string[]> = {
    ...checkRuns(evidence),
    ...cancels.faults,
    ...checkStatuses(evidence),
    ...(await checkLimits(db, evidence)),
    "threads keep the order in which their jobs were acknowledged": checkSubmitOrder(evidence),
    "the API refuses nothing but conflicts, and never fails": checkAnswers(history.entries),
  };
  const faults = Object.entries(found)
    .filter(([, examples]) => examples.length > 0)
    .map(([rule, examples]) => `${rule}: ${examples.length} times not, such as ${examples.slice(0, 3).join("; ")}`);
  return { faults, counts: { ...countEntries(history.entries), runs: history.runs.length, ...cancels.counts } };
}

async function readFinalJobs(db: Database): Promise<Map<string, FinalJob>> {
  const rows = await insist(
    db,
    async (tx) => tx<(Omit<FinalJob, "outcomes"> & { outcomes: string })[]>`
      select id, seq, status, attempt, thread_id, queue, limit_key,
        (select content from messages where job_id = jobs.id and role = 'assistant' limit 1) as reply,
        (select coalesce(json_object_agg(attempt, outcome), '{}') from job_attempts where job_id = jobs.id)::text as outcomes
      from jobs`,
  );
  return new Map(rows.map((row) => [row.id, { ...row, outcomes: JSON.parse(row.outcomes) as Record<string, string> }]));
}

/** Of two jobs of a thread, the one that was acknowledged before the other was first sent comes first. */
export function checkSubmitOrder({ entries, jobs }: Evidence): string[] {
  const sentMs = new Map<string, number>();
  const acknowledged = entries
    .filter(({ verb }) => verb === "submit" || verb === "enqueue")
    .flatMap(({ jobIds, turn, ...entry }) => {
      // A turn gets its id with its answer: its key tells the requests that were sent before.
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
        .map((other) => `job ${one.id} was acknowledged before ${other.id} was sent, and comes after it`),
    ),
  );
}

function checkAnswers(entries: readonly Entry[]): string[] {
  const fine = new Set([undefined, "CONFLICT", "SERVICE_UNAVAILABLE"]);
  return entries
    .filter(({ code }) => !fine.has(code))
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
