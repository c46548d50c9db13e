import type { Database } from "#queue";
import type { GraphName } from "../jobs/graphs.ts";
import type { Entry } from "../history.ts";
import { insist } from "../retry-transaction.ts";
import { NEVER_MIND } from "../load-facts.ts";

/** What the clients were told that there is; all of it must be found again in the end. */
export interface Acknowledged {
  jobs: Set<string>;
  /** By conversation: its messages in the order of the table, and the graph that it talks to; null is the product's own. */
  threads: Map<string, { graph: GraphName | null; turns: { jobId: string; content: string }[] }>;
  /** How often a job may have been queued again. */
  redriven: Map<string, number>;
  /** The marks of jobs without a key whose answer was lost: they may be there or not. */
  unsure: Set<string>;
}

/** Sums up what the clients wrote down. */
export async function readAcknowledged(db: Database, entries: readonly Entry[]): Promise<Acknowledged> {
  const said: Acknowledged = { jobs: new Set(), threads: new Map(), redriven: new Map(), unsure: new Set() };
  const places = await readPlaces(db);
  const turns: { jobId: string; turn: NonNullable<Entry["turn"]> }[] = [];
  for (const { verb, outcome, jobIds, mark, turn } of entries) {
    const [jobId] = jobIds;
    if (verb === "retry" && outcome !== "refused" && jobId !== undefined)
      said.redriven.set(jobId, (said.redriven.get(jobId) ?? 0) + 1);
    if (verb !== "submit" && verb !== "enqueue") continue;
    if (outcome === "lost" && mark !== undefined) said.unsure.add(mark);
    if (outcome !== "answered") continue;
    for (const id of jobIds) said.jobs.add(id);
    // A turn that was cancelled has left its thread wherever it was.
    if (turn && turn.content !== NEVER_MIND && jobId !== undefined) turns.push({ jobId, turn });
  }
  const placeOf = (jobId: string) => places.get(jobId) ?? 0;
  for (const { jobId, turn } of turns.toSorted((one, other) => placeOf(one.jobId) - placeOf(other.jobId))) {
    const thread = said.threads.get(turn.threadId) ?? { graph: turn.graph, turns: [] };
    thread.turns.push({ jobId, content: turn.content });
    said.threads.set(turn.threadId, thread);
  }
  return said;
}

async function readPlaces(db: Database): Promise<Map<string, number>> {
  const rows = await insist(db, async (tx) => tx<{ id: string; seq: string }[]>`select id, seq from jobs`);
  return new Map(rows.map((row) => [row.id, Number(row.seq)]));
}
