import type { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { AIMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { RunControl } from "@langchain/langgraph";
import type { Pregel } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { closeToolCalls } from "./close-tool-calls.ts";
import { DrainedError, PermanentGraphError } from "../errors.ts";
import { findStart, readQuestions } from "./find-start.ts";
import type { Start } from "./find-start.ts";
import { EVENT_MODES, readStream } from "./read-stream.ts";
import type { StreamChunk } from "./read-stream.ts";
import { traceRun } from "./trace-run.ts";
import type { Ending, PastMessage, TurnInput, TurnOptions } from "../turn.ts";
import { ModelWatch } from "../providers/watch-models.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- any graph, whatever its nodes and channels
export type AnyGraph = Pregel<any, any>;

/** A compiled graph that stores its checkpoints with `saver`. */
export interface Runnable {
  graph: AnyGraph;
  saver: BaseCheckpointSaver;
  /** The graph's input for a turn; `open` is what has to stand before its message, where `closesToolCalls` asks for it. */
  toInput: (input: TurnInput, open: readonly BaseMessage[]) => object;
  /** Whether a model of the graph may call tools. */
  closesToolCalls?: boolean;
}

/**
 * Runs one turn of any graph, or what is left of it after an earlier attempt; ends with the graph's last state, or with
 * what it asks people.
 * @throws DrainedError when it was asked to drain: run it again elsewhere. PermanentGraphError and RateLimitedGraphError
 * as a model's provider says. Else what the graph's nodes throw.
 */
export async function runGraph(runnable: Runnable, input: TurnInput, options: TurnOptions): Promise<Ending<unknown>> {
  const { tracer } = options;
  if (!tracer) return runTurn(runnable, input, { ...options, callbacks: [] });
  return traceRun(tracer, async (spans) => runTurn(runnable, input, { ...options, callbacks: [spans] }));
}

async function runTurn(
  runnable: Runnable,
  input: TurnInput,
  options: TurnOptions & { callbacks: readonly BaseCallbackHandler[] },
): Promise<Ending<unknown>> {
  const { graph, saver } = runnable;
  const { runId, signal, answers = new Map<string, unknown>(), branch, onEvent } = options;
  const { threadId } = input;
  const readState = async () => graph.getState({ configurable: { thread_id: threadId } }, { subgraphs: true });
  const start = await findStart(saver, { threadId, runId, answers, branch, readState });
  const given = start.command ?? (await makeInput(runnable, input, { start, runId }));
  const { control, release } = drainWith(options.drain);
  const models = new ModelWatch(options.onUse);
  let ended: { last: unknown; stopped: boolean };
  try {
    const stream = await graph.stream(given, {
      configurable: {
        thread_id: threadId,
        run_id: runId,
        ...(start.checkpointId !== undefined && { checkpoint_id: start.checkpointId }),
      },
      signal,
      control,
      durability: "sync",
      subgraphs: true,
      streamMode: onEvent ? ["values", ...EVENT_MODES] : ["values", "updates"],
      callbacks: [models, ...options.callbacks],
    });
    ended = await tell(stream as AsyncIterable<StreamChunk>, options);
  } catch (error) {
    // By its name, for the graph may have been made with another copy of the library.
    if (error instanceof Error && error.name === "GraphDrained")
      throw new DrainedError("The run stopped after a step", { cause: error });
    throw models.explain(error);
  } finally {
    release();
  }
  if (!ended.stopped) return { waits: false, output: ended.last };
  const questions = await readQuestions(saver, await readState());
  if (questions.length === 0)
    throw new PermanentGraphError("The graph stopped before a node without a question: call interrupt() in the node");
  return { waits: true, questions };
}

async function makeInput(
  { graph, toInput, closesToolCalls }: Runnable,
  input: TurnInput,
  { start, runId }: { start: Start; runId: string },
): Promise<object> {
  if (start.past) return toInput({ ...input, history: start.past }, []);
  if (!closesToolCalls) return toInput(input, []);
  const at = { configurable: { thread_id: input.threadId, checkpoint_id: start.checkpointId } };
  const state = await graph.getState(at);
  // An attempt that resumes has its input already.
  if ((state.metadata as { run_id?: string } | undefined)?.run_id === runId) return toInput(input, []);
  const { messages } = state.values as { messages?: unknown };
  return toInput(input, Array.isArray(messages) ? closeToolCalls(messages as BaseMessage[]) : []);
}

/** Passes on what a run tells; gives its last state, and whether it stopped before its end. */
async function tell(stream: AsyncIterable<StreamChunk>, { onEvent, onStep }: TurnOptions) {
  let last: unknown;
  let stopped = false;
  for await (const chunk of stream) {
    const [namespace, mode, data] = chunk;
    if (namespace.length === 0) {
      if (typeof data === "object" && data !== null && "__interrupt__" in data) stopped = true;
      else if (mode === "values") last = data;
    }
    for (const event of readStream(chunk)) {
      onEvent?.(event);
      if (event.type === "step") onStep?.(event.data.step);
    }
  }
  return { last, stopped };
}

function drainWith(drain: AbortSignal | undefined): { control: RunControl; release: () => void } {
  const control = new RunControl();
  const request = () => control.requestDrain("the worker is leaving");
  if (drain?.aborted) request();
  drain?.addEventListener("abort", request, { once: true });
  return { control, release: () => drain?.removeEventListener("abort", request) };
}

/** A message of a turn's past as LangChain has it. */
export function toMessage({ id, role, content }: PastMessage): BaseMessage {
  if (role === "assistant") return new AIMessage({ id, content });
  return role === "system" ? new SystemMessage({ id, content }) : new HumanMessage({ id, content });
}
