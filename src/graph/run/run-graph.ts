/**
 * Runs one turn of any compiled graph: finds where to start, streams its events, traces it and reads its questions.
 * This folder must not know jobs, SQL or a particular graph.
 * Invariant: an attempt resumes from the last checkpoint, and an answer reaches only the question it was given for.
 */
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

// oxlint-disable-next-line typescript/no-explicit-any -- a graph with any nodes and channels
export type AnyGraph = Pregel<any, any>;

/** A compiled graph that stores its checkpoints with `saver`. */
export interface Runnable {
  graph: AnyGraph;
  saver: BaseCheckpointSaver;
  /** Makes the graph's input. `closing` answers the open tool calls and comes before the turn's message. */
  toInput: (input: TurnInput, closing: readonly BaseMessage[]) => object;
  /** True when the graph's models may call tools. */
  closesToolCalls?: boolean;
}

/**
 * Runs one turn, or resumes it after an earlier attempt.
 * @throws DrainedError after a drain request: run the turn again elsewhere. PermanentGraphError or RateLimitedGraphError
 * after a failed model call. Any other error comes from a node.
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
  const graphInput = start.command ?? (await makeInput(runnable, input, { start, runId }));
  const { control, release } = linkDrain(options.drain);
  const models = new ModelWatch(options.onUse);
  let ended: { last: unknown; interrupted: boolean };
  try {
    const stream = await graph.stream(graphInput, {
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
    ended = await forwardEvents(stream as AsyncIterable<StreamChunk>, options);
  } catch (error) {
    // Compared by name, because the graph may use another copy of the library.
    if (error instanceof Error && error.name === "GraphDrained")
      throw new DrainedError("The run stopped after a step", { cause: error });
    throw models.explain(error);
  } finally {
    release();
  }
  if (!ended.interrupted) return { waits: false, output: ended.last };
  const questions = await readQuestions(saver, await readState());
  if (questions.length === 0)
    throw new PermanentGraphError("The graph stopped before a node and asked nothing: call interrupt() in the node");
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
  // A resumed attempt already has its input.
  if ((state.metadata as { run_id?: string } | undefined)?.run_id === runId) return toInput(input, []);
  const { messages } = state.values as { messages?: unknown };
  return toInput(input, Array.isArray(messages) ? closeToolCalls(messages as BaseMessage[]) : []);
}

/** Forwards a run's events. Returns its last state, and whether it was interrupted before its end. */
async function forwardEvents(stream: AsyncIterable<StreamChunk>, { onEvent, onStep }: TurnOptions) {
  let last: unknown;
  let interrupted = false;
  for await (const chunk of stream) {
    const [namespace, mode, data] = chunk;
    if (namespace.length === 0) {
      if (typeof data === "object" && data !== null && "__interrupt__" in data) interrupted = true;
      else if (mode === "values") last = data;
    }
    for (const event of readStream(chunk)) {
      onEvent?.(event);
      if (event.type === "step") onStep?.(event.data.step);
    }
  }
  return { last, interrupted };
}

function linkDrain(drain: AbortSignal | undefined): { control: RunControl; release: () => void } {
  const control = new RunControl();
  const request = () => control.requestDrain("the worker is leaving");
  if (drain?.aborted) request();
  drain?.addEventListener("abort", request, { once: true });
  return { control, release: () => drain?.removeEventListener("abort", request) };
}

/** Converts an earlier message to LangChain's class. */
export function toMessage({ id, role, content }: PastMessage): BaseMessage {
  if (role === "assistant") return new AIMessage({ id, content });
  return role === "system" ? new SystemMessage({ id, content }) : new HumanMessage({ id, content });
}
