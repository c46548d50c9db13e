import { Command, INTERRUPT } from "@langchain/langgraph";
import type { StateSnapshot } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import type { Branch, PastMessage, Question } from "../turn.ts";

export interface Start {
  /** Replaces the graph's input; absent when the graph gets its input. */
  command?: Command;
  /** The checkpoint to start at; absent means the thread's newest. */
  checkpointId?: string;
  /** The branch's earlier messages, when no checkpoint holds them. */
  past?: readonly PastMessage[];
}

interface StartOptions {
  threadId: string;
  runId: string;
  answers: ReadonlyMap<string, unknown>;
  branch: Branch | undefined;
  readState: () => Promise<StateSnapshot>;
}

/**
 * Finds where a run starts or resumes. An answer is passed on only while the checkpoint shows its question as pending.
 * Otherwise a later attempt would give the answer to the next question of the same node.
 */
export async function findStart(saver: BaseCheckpointSaver, options: StartOptions): Promise<Start> {
  const { answers, branch } = options;
  if (answers.size > 0) {
    const asked = await readQuestions(saver, await options.readState());
    const due = asked.filter(({ id }) => answers.has(id)).map(({ id }) => [id, answers.get(id)] as const);
    if (due.length > 0) return { command: new Command({ resume: Object.fromEntries(due) }) };
  }
  return branch === undefined ? {} : findBranch(saver, options, branch);
}

async function findBranch(
  saver: BaseCheckpointSaver,
  { threadId, runId }: StartOptions,
  { checkpointId, readPast }: Branch,
): Promise<Start> {
  const at = (id?: string) => ({ configurable: { thread_id: threadId, checkpoint_ns: "", checkpoint_id: id } });
  const newest = await saver.getTuple(at());
  if ((newest?.metadata as { run_id?: string } | undefined)?.run_id === runId) {
    // An earlier attempt started the branch. If it stored only the empty root, the messages are still missing.
    const begun = Object.keys(newest?.checkpoint.channel_versions ?? {}).length > 0;
    return begun ? {} : { past: await readPast() };
  }
  if (checkpointId !== null && (await saver.getTuple(at(checkpointId)))) return { checkpointId };
  if (newest) {
    const root = { ...emptyCheckpoint(), id: uuid6(-3) };
    // The next attempt recognises this root by the run id.
    const metadata = { source: "update" as const, step: -2, parents: {}, run_id: runId };
    await saver.put({ configurable: { thread_id: threadId, checkpoint_ns: "", run_id: runId } }, root, metadata, {});
  }
  return { past: await readPast() };
}

/** Reads the questions of an interrupted run. A subgraph's own questions replace the copies that its parent reports. */
export async function readQuestions(saver: BaseCheckpointSaver, { tasks, config }: StateSnapshot): Promise<Question[]> {
  const stored = await saver.getTuple(config);
  // LangGraph keeps the questions of tasks that have ended.
  const ended = new Set(stored?.pendingWrites?.filter(([, channel]) => !NO_OUTPUT.has(channel)).map(([id]) => id));
  const questions: Question[] = [];
  for (const task of tasks) {
    if (ended.has(task.id)) continue;
    const inner = task.state && "tasks" in task.state ? await readQuestions(saver, task.state) : [];
    if (inner.length > 0) questions.push(...inner);
    else for (const one of task.interrupts) if (one.id !== undefined) questions.push(toQuestion(one.id, one));
  }
  return questions;
}

/** A write to any other channel shows that the task has ended. */
const NO_OUTPUT: ReadonlySet<string> = new Set([
  INTERRUPT,
  "__resume__",
  "__error__",
  "__error_source_node__",
  "__scheduled__",
]);

function toQuestion(id: string, asked: { value?: unknown; response_schema?: unknown }): Question {
  const { value = null, response_schema: responseSchema } = asked;
  const said = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  const field = (name: string): unknown => Object.entries(said).find(([key]) => key === name)?.[1];
  const kind = field("kind");
  const schema = responseSchema ?? field("schema") ?? null;
  const deadlineMs = field("deadlineMs");
  return {
    id,
    kind: typeof kind === "string" && kind !== "" ? kind.slice(0, 100) : "question",
    value,
    schema: typeof schema === "object" ? schema : null,
    deadlineMs: typeof deadlineMs === "number" && deadlineMs > 0 ? deadlineMs : null,
    ...("default" in said && { default: said.default }),
  };
}
