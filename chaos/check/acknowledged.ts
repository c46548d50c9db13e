import type { Database } from "#queue";
import type { GraphName } from "../jobs/graphs.ts";
import type { Entry } from "../history.ts";
import { retryTransaction } from "../retry-transaction.ts";
import { CANCELLED_PROMPT } from "../load-facts.ts";

/** The acknowledged requests. The final tables must contain all of them. */
export interface Acknowledged {
  jobs: Set<string>;
  /** The turns of each conversation in table order, and its graph; null is the built-in graph. */
  threads: Map<string, { graph: GraphName | null; turns: { jobId: string; content: string }[] }>;
  /** The number of possible redrives, by job. */
  redriven: Map<string, number>;
  /** The marks of keyless jobs with a lost answer. The table may or may not contain these jobs. */
  uncertain: Set<string>;
}

/** Derives the acknowledged requests from the clients' history. */
export async function readAcknowledged(db: Database, entries: readonly Entry[]): Promise<Acknowledged> {
  const acknowledged: Acknowledged = { jobs: new Set(), threads: new Map(), redriven: new Map(), uncertain: new Set() };
  const seqs = await readSeqs(db);
  const turns: { jobId: string; turn: NonNullable<Entry["turn"]> }[] = [];
  for (const { verb, outcome, jobIds, mark, turn } of entries) {
    const [jobId] = jobIds;
    if (verb === "retry" && outcome !== "refused" && jobId !== undefined)
      acknowledged.redriven.set(jobId, (acknowledged.redriven.get(jobId) ?? 0) + 1);
    if (verb !== "submit" && verb !== "enqueue") continue;
    if (outcome === "lost" && mark !== undefined) acknowledged.uncertain.add(mark);
    if (outcome !== "answered") continue;
    for (const id of jobIds) acknowledged.jobs.add(id);
    // The state of a cancelled turn's thread is not defined.
    if (turn && turn.content !== CANCELLED_PROMPT && jobId !== undefined) turns.push({ jobId, turn });
  }
  const seqOf = (jobId: string) => seqs.get(jobId) ?? 0;
  for (const { jobId, turn } of turns.toSorted((one, other) => seqOf(one.jobId) - seqOf(other.jobId))) {
    const thread = acknowledged.threads.get(turn.threadId) ?? { graph: turn.graph, turns: [] };
    thread.turns.push({ jobId, content: turn.content });
    acknowledged.threads.set(turn.threadId, thread);
  }
  return acknowledged;
}

async function readSeqs(db: Database): Promise<Map<string, number>> {
  const rows = await retryTransaction(db, async (tx) => tx<{ id: string; seq: string }[]>`select id, seq from jobs`);
  return new Map(rows.map((row) => [row.id, Number(row.seq)]));
}
