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
import { retryTransaction } from "../retry-transaction.ts";
import { NO_HOOKS } from "../jobs/node-runs.ts";

/** The streamed text of a turn, by node. */
type Texts = Map<string, string>;

interface Reference {
  turns: { reply: string; texts: Texts }[];
  state: unknown;
}

/**
 * Compares every conversation with a reference run of the same graph without faults. Replies, streamed texts and the last
 * state must be equal.
 */
export async function checkGraphs(db: Database, acknowledged: Acknowledged) {
  const faults: string[] = [];
  const counts = { threads: 0, turns: 0, attempts_read: 0, texts_read: 0 };
  for (const [threadId, { graph, turns }] of acknowledged.threads) {
    if (graph === null) continue;
    counts.threads += 1;
    counts.turns += turns.length;
    const expected = await runReference(graph, turns);
    const saver = new FencedSaver({ call: async (work) => db.call(work), fence: null });
    const state = await readState(graph, saver, threadId);
    if (!isDeepStrictEqual(state, expected.state))
      faults.push(`a thread's state equals the reference run: thread ${threadId} differs`);
    for (const [index, { jobId }] of turns.entries()) {
      const turn = expected.turns[index] ?? { reply: "", texts: new Map() };
      const read = await checkTurn(db, jobId, turn);
      faults.push(...read.faults);
      counts.attempts_read += read.attempts;
      counts.texts_read += read.textCount;
    }
  }
  return { faults: summarize(faults), counts };
}

/** Shortens the list to three examples per rule. */
function summarize(faults: readonly string[]): string[] {
  const byRule = new Map<string, string[]>();
  for (const fault of faults) {
    const rule = fault.split(":")[0] ?? "";
    byRule.set(rule, [...(byRule.get(rule) ?? []), fault]);
  }
  return [...byRule.values()].map((found) => `${found.slice(0, 3).join("; ")} (${found.length} in all)`);
}

async function runReference(name: GraphName, turns: readonly { jobId: string; content: string }[]): Promise<Reference> {
  const saver = new MemorySaver();
  const graph = wrapGraph(name, GRAPHS[name](NO_HOOKS));
  const reference: Reference = { turns: [], state: null };
  for (const { jobId, content } of turns) {
    const texts: Texts = new Map();
    const answers = new Map<string, unknown>();
    const input = { threadId: "reference", messageId: jobId, content, history: [] };
    for (;;) {
      const { signal } = new AbortController();
      const onEvent = (event: TurnEvent) => addText(texts, event.type, event.data);
      const ending = await graph.runTurn(saver, input, { runId: jobId, signal, answers, onEvent });
      if (!ending.waits) {
        reference.turns.push({ reply: ending.output.reply, texts });
        break;
      }
      for (const { id, kind } of ending.questions) answers.set(id, answerTo(kind));
    }
  }
  reference.state = await readState(name, saver, "reference");
  return reference;
}

/** Reads the last state of a thread, without the ids that differ between runs. */
async function readState(name: GraphName, checkpointer: BaseCheckpointSaver, threadId: string): Promise<unknown> {
  const graph = GRAPHS[name](NO_HOOKS).compile({ checkpointer });
  const state = await graph.getState({ configurable: { thread_id: threadId } });
  const { messages = [], ...rest } = state.values as { messages?: BaseMessage[] };
  return { ...rest, next: state.next, messages: messages.map((message) => [message.type, message.text]) };
}

function addText(texts: Texts, type: string, data: unknown): void {
  if (type !== "token" && type !== "custom") return;
  const { text, node, step } = data as { text: string; node?: string; step?: string | null };
  const key = node ?? step ?? "";
  texts.set(key, (texts.get(key) ?? "") + text);
}

interface Run {
  attempt: number;
  outcome: string;
  nodes: string[];
}

/**
 * Compares the streamed texts of each attempt with the reference. The text of a node must be a prefix of the reference.
 * In a completed attempt it must be complete for each node that the attempt started.
 */
async function checkTurn(db: Database, jobId: string, { reply, texts }: Reference["turns"][number]) {
  const faults: string[] = [];
  const { events, runs, messages } = await retryTransaction(db, async (tx) => ({
    events: await tx<{ attempt: number; type: string; data: unknown }[]>`
      select attempt, type, data from job_events where job_id = ${jobId} and type in ('token', 'custom') order by seq`,
    runs: await tx<Run[]>`
      select attempt, outcome::text, array(select node from chaos_nodes where job_id = ${jobId} and attempt = run.attempt) as nodes from (
        select attempt, outcome::text from job_attempts where job_id = ${jobId}
        union all select attempt, status::text from jobs where id = ${jobId}
      ) as run`,
    messages: await tx<{ content: string }[]>`
      select content from messages where job_id = ${jobId} and role = 'assistant'`,
  }));
  if (messages.some(({ content }) => content !== reply))
    faults.push(`a reply equals the reference run: job ${jobId} differs`);
  const byAttempt = new Map<number, Texts>();
  for (const { attempt, type, data } of events) {
    const own = byAttempt.get(attempt) ?? new Map<string, string>();
    addText(own, type, data);
    byAttempt.set(attempt, own);
  }
  let textCount = 0;
  for (const [attempt, own] of byAttempt) {
    for (const [node, text] of own) {
      textCount += 1;
      if (!(texts.get(node) ?? "").startsWith(text))
        faults.push(
          `a log repeats no text: attempt ${attempt} of job ${jobId} has for ${node} ${JSON.stringify(text)}`,
        );
    }
  }
  for (const { attempt, outcome, nodes } of runs) {
    if (outcome !== "completed") continue;
    for (const [node, text] of texts) {
      const actual = byAttempt.get(attempt)?.get(node) ?? "";
      if (actual !== (nodes.includes(node) ? text : ""))
        faults.push(
          `a closed log contains every text: attempt ${attempt} of job ${jobId} has for ${node} ${JSON.stringify(actual)}`,
        );
    }
  }
  return { faults, textCount, attempts: runs.length };
}
