import { Command, INTERRUPT } from "@langchain/langgraph";
import type { StateSnapshot } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import type { Branch, PastMessage, Question } from "../turn.ts";

export interface Start {
  /** What the graph is given instead of its input; absent where it gets that. */
  command?: Command;
  /** The checkpoint to begin at; absent where it is the thread's newest. */
  checkpointId?: string;
  /** What was said before, where no checkpoint knows it. */
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
 * Where a run begins or goes on. An answer is handed over only while its question is pending by the checkpoint, so that
 * an attempt which comes after the answer was taken does not give it to the next question of the same node.
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
    // An earlier attempt has begun the branch; where it only cleared the ground, its past is still to be told.
    const begun = Object.keys(newest?.checkpoint.channel_versions ?? {}).length > 0;
    return begun ? {} : { past: await readPast() };
  }
  if (checkpointId !== null && (await saver.getTuple(at(checkpointId)))) return { checkpointId };
  if (newest) {
    const root = { ...emptyCheckpoint(), id: uuid6(-3) };
    // The run's id tells its next attempt that this is its own.
    const metadata = { source: "update" as const, step: -2, parents: {}, run_id: runId };
    await saver.put({ configurable: { thread_id: threadId, checkpoint_ns: "", run_id: runId } }, root, metadata, {});
  }
  return { past: await readPast() };
}

/** What a stopped run asks: the questions of its tasks, those of subgraphs in place of what they look like from outside. */
export async function readQuestions(saver: BaseCheckpointSaver, { tasks, config }: StateSnapshot): Promise<Question[]> {
  const stored = await saver.getTuple(config);
  // A task that has ended keeps the questions it once asked.
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

/** The channels to which a task may write before it has ended. */
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
