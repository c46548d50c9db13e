import type { Database } from "#queue";
import { isDeepStrictEqual } from "node:util";
import type { BaseMessage } from "@langchain/core/messages";
import { MemorySaver } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { FencedSaver } from "#checkpoint";
import { wrapGraph } from "#graph";
import type { TurnEvent } from "#graph";
import type { Acknowledged } from "./acknowledged.ts";
import { answerTo, GRAPHS } from "../jobs/graphs.ts";
import type { GraphName } from "../jobs/graphs.ts";
import { insist } from "../retry-transaction.ts";
import { QUIET_STAGE } from "../jobs/node-runs.ts";

/** What is told of a turn, by who tells it: a node in its pieces, or a model in the node that asks it. */
type Told = Map<string, string>;

interface Reference {
  turns: { reply: string; told: Told }[];
  state: unknown;
}

/**
 * Whether every conversation with a graph reads as one that nothing happened to: replies, what was told of each turn
 * and the last state are those of the same graph run undisturbed.
 */
export async function checkGraphs(db: Database, said: Acknowledged) {
  const faults: string[] = [];
  const counts = { threads: 0, turns: 0, attempts_read: 0, texts_read: 0 };
  for (const [threadId, { graph, turns }] of said.threads) {
    if (graph === null) continue;
    counts.threads += 1;
    counts.turns += turns.length;
    const expected = await runUndisturbed(graph, turns);
    const saver = new FencedSaver({ call: async (work) => db.call(work), fence: null });
    const state = await readState(graph, saver, threadId);
    if (!isDeepStrictEqual(state, expected.state))
      faults.push(`a thread's state is as if nothing had happened: not that of ${threadId}`);
    for (const [index, { jobId }] of turns.entries()) {
      const turn = expected.turns[index] ?? { reply: "", told: new Map() };
      const read = await checkTurn(db, jobId, turn);
      faults.push(...read.faults);
      counts.attempts_read += read.attempts;
      counts.texts_read += read.texts;
    }
  }
  return { faults: summed(faults), counts };
}

/** The first few of each rule's faults. */
function summed(faults: readonly string[]): string[] {
  const byRule = new Map<string, string[]>();
  for (const fault of faults) {
    const rule = fault.split(":")[0] ?? "";
    byRule.set(rule, [...(byRule.get(rule) ?? []), fault]);
  }
  return [...byRule.values()].map((found) => `${found.slice(0, 3).join("; ")} (${found.length} in all)`);
}

async function runUndisturbed(
  name: GraphName,
  turns: readonly { jobId: string; content: string }[],
): Promise<Reference> {
  const saver = new MemorySaver();
  const graph = wrapGraph(name, GRAPHS[name](QUIET_STAGE));
  const reference: Reference = { turns: [], state: null };
  for (const { jobId, content } of turns) {
    const told: Told = new Map();
    const answers = new Map<string, unknown>();
    const input = { threadId: "undisturbed", messageId: jobId, content, history: [] };
    for (;;) {
      const { signal } = new AbortController();
      const onEvent = (event: TurnEvent) => addTold(told, event.type, event.data);
      const ending = await graph.runTurn(saver, input, { runId: jobId, signal, answers, onEvent });
      if (!ending.waits) {
        reference.turns.push({ reply: ending.output.reply, told });
        break;
      }
      for (const { id, kind } of ending.questions) answers.set(id, answerTo(kind));
    }
  }
  reference.state = await readState(name, saver, "undisturbed");
  return reference;
}

/** The last state of a thread, without the ids that each run makes anew. */
async function readState(name: GraphName, checkpointer: BaseCheckpointSaver, threadId: string): Promise<unknown> {
  const graph = GRAPHS[name](QUIET_STAGE).compile({ checkpointer });
  const state = await graph.getState({ configurable: { thread_id: threadId } });
  const { messages = [], ...rest } = state.values as { messages?: BaseMessage[] };
  return { ...rest, next: state.next, messages: messages.map((message) => [message.type, message.text]) };
}

function addTold(told: Told, type: string, data: unknown): void {
  if (type !== "token" && type !== "custom") return;
  const { text, place, step } = data as { text: string; place?: string; step?: string | null };
  const key = place ?? step ?? "";
  told.set(key, (told.get(key) ?? "") + text);
}

interface Run {
  attempt: number;
  outcome: string;
  places: string[];
}

/**
 * What each attempt told of a turn: the beginning of what it would have told undisturbed, and all of it for each node
 * that was begun by an attempt which ended as it should. What the last attempt told is what a reader is left with.
 */
async function checkTurn(db: Database, jobId: string, { reply, told }: Reference["turns"][number]) {
  const faults: string[] = [];
  const { events, runs, messages } = await insist(db, async (tx) => ({
    events: await tx<{ attempt: number; type: string; data: unknown }[]>`
      select attempt, type, data from job_events where job_id = ${jobId} and type in ('token', 'custom') order by seq`,
    runs: await tx<Run[]>`
      select attempt, outcome::text, array(select place from chaos_nodes where job_id = ${jobId} and attempt = run.attempt) as places from (
        select attempt, outcome::text from job_attempts where job_id = ${jobId}
        union all select attempt, status::text from jobs where id = ${jobId}
      ) as run`,
    messages: await tx<{ content: string }[]>`
      select content from messages where job_id = ${jobId} and role = 'assistant'`,
  }));
  if (messages.some(({ content }) => content !== reply))
    faults.push(`a reply is as if nothing had happened: not that of job ${jobId}`);
  const byAttempt = new Map<number, Told>();
  for (const { attempt, type, data } of events) {
    const own = byAttempt.get(attempt) ?? new Map<string, string>();
    addTold(own, type, data);
    byAttempt.set(attempt, own);
  }
  let texts = 0;
  for (const [attempt, own] of byAttempt) {
    for (const [place, text] of own) {
      texts += 1;
      if (!(told.get(place) ?? "").startsWith(text))
        faults.push(
          `a log tells nothing twice: attempt ${attempt} of job ${jobId} told ${place} ${JSON.stringify(text)}`,
        );
    }
  }
  for (const { attempt, outcome, places } of runs) {
    if (outcome !== "completed") continue;
    for (const [place, text] of told) {
      const left = byAttempt.get(attempt)?.get(place) ?? "";
      if (left !== (places.includes(place) ? text : ""))
        faults.push(
          `a closed log tells all of it: attempt ${attempt} of job ${jobId} told ${place} ${JSON.stringify(left)}`,
        );
    }
  }
  return { faults, texts, attempts: runs.length };
}
