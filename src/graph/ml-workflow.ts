import { AIMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { Annotation, END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { designSystem } from "./engine/design.ts";
import type { Design } from "./engine/design.ts";
import { writeReply } from "./engine/write-reply.ts";
import type { ChatModel } from "./open-model.ts";

export interface TurnInput {
  threadId: string;
  messageId: string;
  content: string;
  history: readonly { id: string; role: "user" | "assistant" | "system" | "tool"; content: string }[];
}

export interface TurnOutput {
  /** The reply as Markdown. */
  reply: string;
  title: string | null;
  /** Null where the turn designed nothing new. */
  version: Omit<Design, "title"> | null;
}

/** A failure that another try cannot help, such as a refused key. */
export class PermanentGraphError extends Error {
  override readonly name = "PermanentGraphError";
}

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  request: Annotation<string>(),
  turnId: Annotation<string>(),
  design: Annotation<Design | null>({ reducer: (_old, next) => next, default: () => null }),
  isNew: Annotation<boolean>(),
  reply: Annotation<string>(),
});

export interface TurnOptions {
  /** The same for every attempt of one turn, so that a retry resumes. */
  runId: string;
  signal: AbortSignal;
  /** Called with a node's name when it has finished. */
  onStep?: (step: string) => void;
}

const SYSTEM_PROMPT =
  "You design machine-learning systems. Answer in Markdown, concretely and briefly, from the conversation and this draft design: ";

/** The built-in graph, intake → plan → reply, over the given checkpoint saver. */
export function buildMlWorkflow({
  checkpointer,
  model,
}: {
  checkpointer: BaseCheckpointSaver;
  model: ChatModel | null;
}) {
  const graph = new StateGraph(State)
    .addNode("intake", (state) => ({ request: state.messages.at(-1)?.text ?? "", reply: "", isNew: false }))
    .addNode("plan", (state) => {
      const next = designSystem(state.request, state.design);
      return { design: next ?? state.design, isNew: next !== null };
    })
    .addNode("compose", async (state, config) => {
      const reply = model
        ? await askModel(model, state, config.signal)
        : writeReply(state.request, state.design, state.isNew);
      return { reply, messages: [new AIMessage({ content: reply, id: `reply-${state.turnId}` })] };
    })
    .addEdge(START, "intake")
    .addEdge("intake", "plan")
    .addEdge("plan", "compose")
    .addEdge("compose", END)
    .compile({ checkpointer });

  /** Runs one turn, or what is left of it after a crash. */
  async function runTurn(input: TurnInput, { runId, signal, onStep }: TurnOptions): Promise<TurnOutput> {
    const config = { configurable: { thread_id: input.threadId, run_id: runId }, signal };
    const before = await graph.getState(config);
    const sameTurn = (before.values as Partial<typeof State.State>).turnId === input.messageId;
    if (!sameTurn || before.next.length > 0) {
      const messages = [
        ...input.history.map(toMessage),
        new HumanMessage({ content: input.content, id: input.messageId }),
      ];
      const stream = await graph.stream(sameTurn ? null : { messages, turnId: input.messageId }, {
        ...config,
        streamMode: "updates",
        durability: "sync",
      });
      for await (const update of stream) for (const step of Object.keys(update)) onStep?.(step);
    }
    const { reply, design, isNew } = (await graph.getState(config)).values as typeof State.State;
    if (!design || !isNew) return { reply, title: design?.title ?? null, version: null };
    const { title, ...version } = design;
    return { reply, title, version };
  }
  return { runTurn };
}

async function askModel(
  model: ChatModel,
  { messages, design }: Pick<typeof State.State, "messages" | "design">,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    const answer = await model.invoke(
      [new SystemMessage(SYSTEM_PROMPT + JSON.stringify(design)), ...messages],
      signal ? { signal } : {},
    );
    return typeof answer.content === "string" ? answer.content : answer.text;
  } catch (error) {
    const status = typeof error === "object" && error !== null && "status" in error ? error.status : undefined;
    if (status === 401 || status === 403)
      throw new PermanentGraphError("The model's provider refused the key: check the API key of MODEL", {
        cause: error,
      });
    throw error;
  }
}

function toMessage({ id, role, content }: TurnInput["history"][number]): BaseMessage {
  if (role === "assistant") return new AIMessage({ id, content });
  return role === "system" ? new SystemMessage({ id, content }) : new HumanMessage({ id, content });
}
