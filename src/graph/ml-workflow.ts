import { AIMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { Annotation, END, MessagesAnnotation, RunControl, START, StateGraph, GraphDrained } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { askModel } from "./ask-model.ts";
import type { Usage } from "./ask-model.ts";
import type { Design } from "./engine/design.ts";
import { think } from "./engine/think.ts";
import type { Thought } from "./engine/think.ts";
import { writeReply } from "./engine/write-reply.ts";
import { DrainedError } from "./errors.ts";
import type { ChatModel } from "./open-model.ts";
import { EVENT_MODES, readStream, TEXT_KEY } from "./read-stream.ts";
import type { TurnInput, TurnOptions, TurnOutput } from "./turn.ts";

export interface MlWorkflowOptions {
  /** A saver that keeps `run_id` in its metadata. */
  checkpointer: BaseCheckpointSaver;
  /** Null lets the offline engine write the reply. */
  model: ChatModel | null;
  /** How long the model may be silent, in milliseconds; 60,000 unless given. */
  modelIdleMs?: number;
}

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  /** The id of the user's message. */
  turnId: Annotation<string>(),
  request: Annotation<string>(),
  thought: Annotation<Thought>(),
  design: Annotation<Design | null>({ reducer: (_old, next) => next, default: () => null }),
  reply: Annotation<string>(),
  usage: Annotation<Usage | null>(),
});
type WorkflowState = typeof State.State;

const MODEL_IDLE_MS = 60_000;
const MODEL_MESSAGES = 30;
const SYSTEM_PROMPT = `You design machine-learning systems. Answer the last message in Markdown, concretely and briefly.
Keep to the facts, numbers and choices of the draft below; say so where you would choose otherwise. The draft:
`;

/** The built-in graph, intake → plan → compose, over the given checkpoint saver. */
export function buildMlWorkflow({ checkpointer, model, modelIdleMs = MODEL_IDLE_MS }: MlWorkflowOptions) {
  const graph = new StateGraph(State)
    .addNode("intake", (state) => ({ request: state.messages.at(-1)?.text ?? "", reply: "", usage: null }))
    .addNode("plan", (state) => {
      const thought = think(state.request, state.design);
      return { thought, ...(thought.act === "design" && { design: thought.design }) };
    })
    .addNode("compose", async (state, config) => {
      const draft = writeReply(state.request, state.thought, state.design);
      const { text, usage } = model ? await write(model, state, { draft, config, modelIdleMs }) : speak(draft, config);
      return { reply: text, usage, messages: [new AIMessage({ content: text, id: `reply-${state.turnId}` })] };
    })
    .addEdge(START, "intake")
    .addEdge("intake", "plan")
    .addEdge("plan", "compose")
    .addEdge("compose", END)
    .compile({ checkpointer });

  /**
   * Runs one turn, or what is left of it after an earlier attempt.
   * @throws DrainedError when it was asked to drain: run it again elsewhere. PermanentGraphError and
   * RateLimitedGraphError as the model's provider says.
   */
  async function runTurn(input: TurnInput, options: TurnOptions): Promise<TurnOutput> {
    const { runId, signal, drain, onStep, onEvent } = options;
    const control = new RunControl();
    const requestDrain = () => control.requestDrain("the worker is leaving");
    if (drain?.aborted) requestDrain();
    drain?.addEventListener("abort", requestDrain, { once: true });
    let last: unknown;
    try {
      const stream = await graph.stream(toState(input), {
        configurable: { thread_id: input.threadId, run_id: runId },
        signal,
        control,
        durability: "sync",
        streamMode: onEvent ? ["values", ...EVENT_MODES] : ["values", "updates"],
      });
      for await (const [mode, chunk] of stream as AsyncIterable<[string, unknown]>) {
        if (mode === "values") last = chunk;
        for (const event of readStream(mode, chunk)) {
          onEvent?.(event);
          if (event.type === "step") onStep?.(event.data.step);
        }
      }
    } catch (error) {
      if (error instanceof GraphDrained) throw new DrainedError("The run stopped after a step", { cause: error });
      throw error;
    } finally {
      drain?.removeEventListener("abort", requestDrain);
    }
    return toOutput(last as WorkflowState);
  }
  return { runTurn };
}

function toState({ messageId, content, history }: TurnInput): Partial<WorkflowState> {
  return { turnId: messageId, messages: [...history.map(toMessage), new HumanMessage({ content, id: messageId })] };
}

function toOutput({ reply, design, thought, usage }: WorkflowState): TurnOutput {
  const title = design?.title ?? null;
  if (!design || thought.act !== "design") return { reply, title, version: null, usage };
  const { title: _title, ...version } = design;
  return { reply, title, version, usage };
}

interface WriteOptions {
  draft: string;
  config: LangGraphRunnableConfig;
  modelIdleMs: number;
}

async function write(model: ChatModel, { messages }: WorkflowState, { draft, config, modelIdleMs }: WriteOptions) {
  const asked = [new SystemMessage(SYSTEM_PROMPT + draft), ...messages.slice(-MODEL_MESSAGES)];
  return askModel(model, asked, { config, idleMs: modelIdleMs });
}

/** Streams a text that is there already, a paragraph at a time. */
function speak(text: string, config: LangGraphRunnableConfig): { text: string; usage: null } {
  for (const part of text.split(/(?<=\n\n)/)) config.writer?.({ [TEXT_KEY]: part });
  return { text, usage: null };
}

function toMessage({ id, role, content }: TurnInput["history"][number]): BaseMessage {
  if (role === "assistant") return new AIMessage({ id, content });
  return role === "system" ? new SystemMessage({ id, content }) : new HumanMessage({ id, content });
}
