import { setTimeout as wait } from "node:timers/promises";
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { SimpleChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessageChunk } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { Annotation, END, interrupt, MessagesAnnotation, Send, START, StateGraph } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { NodeHooks } from "./node-runs.ts";

const append = Annotation<string[]>({ reducer: (before, added) => [...before, ...added], default: () => [] });

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  turn: Annotation<number>({ reducer: (_, next) => next, default: () => 0 }),
  /** The facts of all turns. */
  facts: append,
  /** The facts of the subgraph. */
  found: Annotation<string[]>({ reducer: (_, next) => next, default: () => [] }),
});
const Inner = Annotation.Root({ turn: Annotation<number>(), found: append });
const Part = Annotation.Root({ turn: Annotation<number>(), part: Annotation<number>(), known: Annotation<number>() });

/** A model that streams a text word by word. */
class ScriptedModel extends SimpleChatModel {
  readonly #text: string;
  readonly #paceMs: number;

  constructor(text: string, paceMs: number) {
    super({});
    this.#text = text;
    this.#paceMs = paceMs;
  }

  _llmType(): string {
    return "scripted";
  }

  async _call(): Promise<string> {
    return this.#text;
  }

  override async *_streamResponseChunks(
    _messages: BaseMessage[],
    _options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    for (const text of this.#text.match(/\S+\s*/g) ?? []) {
      if (this.#paceMs > 0) await wait(this.#paceMs);
      const chunk = new ChatGenerationChunk({ text, message: new AIMessageChunk({ content: text }) });
      yield chunk;
      await runManager?.handleLLMNewToken(text, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}

/** Writes the text of a node in pieces, with a pause before each. */
async function write(
  hooks: NodeHooks,
  config: LangGraphRunnableConfig,
  output: { node: string; pieces: readonly string[] },
) {
  for (const text of output.pieces) {
    if (hooks.paceMs > 0) await wait(hooks.paceMs);
    config.writer?.({ node: output.node, text });
  }
}

function buildInner(hooks: NodeHooks) {
  return new StateGraph(Inner)
    .addNode("first", async ({ turn }, config) => {
      await hooks.begin(config);
      await write(hooks, config, { node: "inner/first", pieces: ["one ", "step"] });
      return { found: [`${turn} first`] };
    })
    .addNode("ask", async ({ turn }, config) => {
      await hooks.begin(config);
      const said: unknown = interrupt({ kind: `inner ${turn}` });
      await write(hooks, config, { node: "inner/ask", pieces: ["asked ", "it"] });
      return { found: [String(said)] };
    })
    .addNode("second", async ({ turn, found }, config) => {
      await hooks.begin(config);
      await write(hooks, config, { node: "inner/second", pieces: ["two ", "steps"] });
      return { found: [`${turn} second of ${found.length}`] };
    })
    .addEdge(START, "first")
    .addEdge("first", "ask")
    .addEdge("ask", "second")
    .addEdge("second", END)
    .compile();
}

function sibling(hooks: NodeHooks, name: string) {
  return async ({ turn, facts }: typeof State.State, config: LangGraphRunnableConfig) => {
    await hooks.begin(config);
    await write(hooks, config, { node: name, pieces: [`${name} `, "knows ", `${facts.length}`] });
    return { facts: [`${turn} ${name} after ${facts.length}`] };
  };
}

function branch(hooks: NodeHooks) {
  return async ({ turn, part, known }: typeof Part.State, config: LangGraphRunnableConfig) => {
    await hooks.begin(config, String(part));
    const said: unknown = part === 0 ? interrupt({ kind: `branch ${turn}` }) : "unasked";
    await write(hooks, config, { node: `branch ${part}`, pieces: [`part ${part} `, `of ${turn}, `, String(said)] });
    return { facts: [`${turn} branch ${part} of ${known}: ${String(said)}`] };
  };
}

function say(hooks: NodeHooks) {
  return async ({ turn, facts, messages }: typeof State.State, config: LangGraphRunnableConfig) => {
    await hooks.begin(config);
    const now = facts.filter((fact) => fact.startsWith(`${turn} `)).join(", ");
    const reply = `Turn ${turn}, ${messages.length} messages, ${facts.length} facts: ${now}`;
    return { messages: [await new ScriptedModel(reply, hooks.paceMs).invoke(messages, config)] };
  };
}

/**
 * A conversation graph with concurrent nodes. Each turn runs two siblings, two or three tasks of the node `branch`, and a
 * subgraph of three nodes. The first task and the subgraph's second node ask a question. A model then replies with the
 * facts of all turns so far. Nodes write their text in pieces that name the node.
 */
export function buildFanOut(hooks: NodeHooks) {
  return (
    new StateGraph(State)
      .addNode("plan", async ({ turn }, config) => {
        await hooks.begin(config);
        return { turn: turn + 1, facts: [`${turn + 1} plan`] };
      })
      .addNode("left", sibling(hooks, "left"))
      .addNode("right", sibling(hooks, "right"))
      .addNode("branch", branch(hooks), { input: Part })
      .addNode("inner", buildInner(hooks))
      .addNode("collect", async ({ turn, found }, config) => {
        await hooks.begin(config);
        return { facts: [`${turn} collected ${found.join("; ")}`] };
      })
      .addNode("say", say(hooks))
      .addEdge(START, "plan")
      .addConditionalEdges(
        "plan",
        ({ turn, facts }) => [
          "left",
          "right",
          "inner",
          ...Array.from(
            { length: 2 + (turn % 2) },
            (_, part) => new Send("branch", { turn, part, known: facts.length }),
          ),
        ],
        ["left", "right", "inner", "branch"],
      )
      // A node with a waiting edge must not also have a plain edge: LangGraph.js 1.7 would run it twice after a resume.
      .addEdge("left", "collect")
      .addEdge("right", "collect")
      .addEdge("inner", "collect")
      .addEdge("branch", "collect")
      .addEdge("collect", "say")
      .addEdge("say", END)
  );
}
