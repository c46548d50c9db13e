import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { AIMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import type { LLMResult } from "@langchain/core/outputs";
import { GraphDrained, RunControl } from "@langchain/langgraph";
import type { Pregel } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { DrainedError, PermanentGraphError } from "./errors.ts";
import { findStart, readQuestions } from "./find-start.ts";
import { EVENT_MODES, readStream } from "./read-stream.ts";
import { readUse } from "./read-use.ts";
import { traceRun } from "./trace-run.ts";
import type { Ending, ModelUse, PastMessage, TurnInput, TurnOptions } from "./turn.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- any graph, whatever its nodes and channels
export type AnyGraph = Pregel<any, any>;

/** A compiled graph that stores its checkpoints with `saver`. */
export interface Runnable {
  graph: AnyGraph;
  saver: BaseCheckpointSaver;
  /** The graph's input for a turn whose past is not in its checkpoints. */
  toInput: (input: TurnInput) => object;
}

/**
 * Runs one turn of any graph, or what is left of it after an earlier attempt; ends with the graph's last state, or with
 * what it asks people.
 * @throws DrainedError when it was asked to drain: run it again elsewhere. Else what the graph's nodes throw.
 */
export async function runGraph(runnable: Runnable, input: TurnInput, options: TurnOptions): Promise<Ending<unknown>> {
  const meters = options.onUse ? [new Meter(options.onUse)] : [];
  const { tracer } = options;
  if (!tracer) return runTurn(runnable, input, { ...options, callbacks: meters });
  return traceRun(tracer, async (spans) => runTurn(runnable, input, { ...options, callbacks: [...meters, spans] }));
}

async function runTurn(
  { graph, saver, toInput }: Runnable,
  input: TurnInput,
  options: TurnOptions & { callbacks: BaseCallbackHandler[] },
): Promise<Ending<unknown>> {
  const { runId, signal, answers = new Map<string, unknown>(), branch, onEvent, onStep } = options;
  const { threadId } = input;
  const readState = async () => graph.getState({ configurable: { thread_id: threadId } }, { subgraphs: true });
  const start = await findStart(saver, { threadId, runId, answers, branch, readState });
  const given = start.past ? { ...input, history: start.past } : input;
  const { control, release } = drainWith(options.drain);
  let last: unknown;
  let stopped = false;
  try {
    const stream = await graph.stream(start.command ?? toInput(given), {
      configurable: {
        thread_id: threadId,
        run_id: runId,
        ...(start.checkpointId !== undefined && { checkpoint_id: start.checkpointId }),
      },
      signal,
      control,
      durability: "sync",
      streamMode: onEvent ? ["values", ...EVENT_MODES] : ["values", "updates"],
      ...(options.callbacks.length > 0 && { callbacks: options.callbacks }),
    });
    for await (const [mode, chunk] of stream as AsyncIterable<[string, unknown]>) {
      if (typeof chunk === "object" && chunk !== null && "__interrupt__" in chunk) stopped = true;
      else if (mode === "values") last = chunk;
      for (const event of readStream(mode, chunk)) {
        onEvent?.(event);
        if (event.type === "step") onStep?.(event.data.step);
      }
    }
  } catch (error) {
    if (error instanceof GraphDrained) throw new DrainedError("The run stopped after a step", { cause: error });
    throw error;
  } finally {
    release();
  }
  if (!stopped) return { waits: false, output: last };
  const questions = await readQuestions(saver, await readState());
  if (questions.length === 0)
    throw new PermanentGraphError("The graph stopped before a node without a question: call interrupt() in the node");
  return { waits: true, questions };
}

function drainWith(drain: AbortSignal | undefined): { control: RunControl; release: () => void } {
  const control = new RunControl();
  const request = () => control.requestDrain("the worker is leaving");
  if (drain?.aborted) request();
  drain?.addEventListener("abort", request, { once: true });
  return { control, release: () => drain?.removeEventListener("abort", request) };
}

/** Tells what each call of a model in a run has used, whichever node makes it. */
class Meter extends BaseCallbackHandler {
  override readonly name = "threadmill_meter";
  // A budget must stop the run before its next step.
  override awaitHandlers = true;
  readonly #onUse: (use: ModelUse) => void;

  constructor(onUse: (use: ModelUse) => void) {
    super();
    this.#onUse = onUse;
  }

  override handleLLMEnd(result: LLMResult): void {
    for (const use of readUse(result)) this.#onUse(use);
  }
}

/** A message of a turn's past as LangChain has it. */
export function toMessage({ id, role, content }: PastMessage): BaseMessage {
  if (role === "assistant") return new AIMessage({ id, content });
  return role === "system" ? new SystemMessage({ id, content }) : new HumanMessage({ id, content });
}
