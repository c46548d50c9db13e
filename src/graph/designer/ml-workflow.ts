/**
 * The built-in graph: an offline engine that designs machine-learning systems. `request/` reads a message, `families/`
 * holds the knowledge, `design/` makes the design and `reply/` writes it as Markdown.
 * It must not know jobs, SQL or a provider's API.
 * Invariant: without a model, the same messages always give the same designs and replies.
 */
import { AIMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import { Annotation, END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { askModel } from "../providers/ask-model.ts";
import type { Design } from "./design/design.ts";
import { think } from "./think.ts";
import type { Thought } from "./think.ts";
import { writeReply } from "./reply/write-reply.ts";
import { PermanentGraphError } from "../errors.ts";
import type { ChatModel } from "../providers/open-model.ts";
import { TEXT_KEY } from "../run/read-stream.ts";
import { runGraph, toMessage } from "../run/run-graph.ts";
import type { TurnInput, TurnOptions } from "../turn.ts";

export interface TurnOutput {
  /** The reply as Markdown. */
  reply: string;
  title: string | null;
  /** Null when the turn made no new version. */
  version: Omit<Design, "title"> | null;
}

export interface MlWorkflowOptions {
  /** A saver that keeps `run_id` in its metadata. */
  checkpointer: BaseCheckpointSaver;
  /** Null lets the offline engine write the reply. */
  model: ChatModel | null;
  /** The longest silence of the model, in milliseconds; 60,000 by default. */
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
});
type WorkflowState = typeof State.State;

const MODEL_IDLE_MS = 60_000;
const MODEL_MESSAGES = 30;
const SYSTEM_PROMPT = `You design machine-learning systems. Answer the last message in Markdown, concretely and briefly.
Keep to the facts, numbers and choices of the draft below; say so where you would choose otherwise. The draft:
`;

/** Builds the graph intake → plan → compose. */
export function buildMlWorkflow({ checkpointer, model, modelIdleMs = MODEL_IDLE_MS }: MlWorkflowOptions) {
  const graph = new StateGraph(State)
    .addNode("intake", (state) => ({ request: state.messages.at(-1)?.text ?? "", reply: "" }))
    .addNode("plan", (state) => {
      const thought = think(state.request, state.design);
      return { thought, ...(thought.act === "design" && { design: thought.design }) };
    })
    .addNode("compose", async (state, config) => {
      const draft = writeReply(state.request, state.thought, state.design);
      const text = model
        ? await askWithDraft(model, state, { draft, config, modelIdleMs })
        : streamDraft(draft, config);
      return { reply: text, messages: [new AIMessage({ content: text, id: `reply-${state.turnId}` })] };
    })
    .addEdge(START, "intake")
    .addEdge("intake", "plan")
    .addEdge("plan", "compose")
    .addEdge("compose", END)
    .compile({ checkpointer });

  /**
   * Runs one turn, or resumes it after an earlier attempt.
   * @throws DrainedError after a drain request: run the turn again elsewhere. PermanentGraphError or
   * RateLimitedGraphError after a failed model call.
   */
  async function runTurn(input: TurnInput, options: TurnOptions): Promise<TurnOutput> {
    const ending = await runGraph({ graph, saver: checkpointer, toInput: toState }, input, options);
    if (ending.waits) throw new PermanentGraphError("The built-in graph never asks a person");
    return toOutput(ending.output as WorkflowState);
  }
  return { runTurn };
}

function toState({ messageId, content, history }: TurnInput): Partial<WorkflowState> {
  return { turnId: messageId, messages: [...history.map(toMessage), new HumanMessage({ content, id: messageId })] };
}

function toOutput({ reply, design, thought }: WorkflowState): TurnOutput {
  const title = design?.title ?? null;
  if (!design || thought.act !== "design") return { reply, title, version: null };
  const { title: _title, ...version } = design;
  return { reply, title, version };
}

interface WriteOptions {
  draft: string;
  config: LangGraphRunnableConfig;
  modelIdleMs: number;
}

async function askWithDraft(
  model: ChatModel,
  { messages }: WorkflowState,
  { draft, config, modelIdleMs }: WriteOptions,
) {
  const asked = [new SystemMessage(SYSTEM_PROMPT + draft), ...messages.slice(-MODEL_MESSAGES)];
  return askModel(model, asked, { config, idleMs: modelIdleMs });
}

/** Streams a finished text, one paragraph at a time. */
function streamDraft(text: string, config: LangGraphRunnableConfig): string {
  for (const part of text.split(/(?<=\n\n)/)) config.writer?.({ [TEXT_KEY]: part });
  return text;
}
