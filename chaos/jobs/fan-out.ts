import { setTimeout as wait } from "node:timers/promises";
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { SimpleChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessageChunk } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { Annotation, END, interrupt, MessagesAnnotation, Send, START, StateGraph } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { Stage } from "./node-runs.ts";

const append = Annotation<string[]>({ reducer: (before, added) => [...before, ...added], default: () => [] });

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  turn: Annotation<number>({ reducer: (_, next) => next, default: () => 0 }),
  /** What all turns have found. */
  facts: append,
  /** What the subgraph has found. */
  found: Annotation<string[]>({ reducer: (_, next) => next, default: () => [] }),
});
const Inner = Annotation.Root({ turn: Annotation<number>(), found: append });
const Part = Annotation.Root({ turn: Annotation<number>(), part: Annotation<number>(), known: Annotation<number>() });

/** A model that streams a text, a word at a time. */
class Speaker extends SimpleChatModel {
  readonly #text: string;
  readonly #paceMs: number;

  constructor(text: string, paceMs: number) {
    super({});
    this.#text = text;
    this.#paceMs = paceMs;
  }

  _llmType(): string {
    return "speaker";
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

/** Tells, in pieces that take a while, what a node has to tell. */
async function work(stage: Stage, config: LangGraphRunnableConfig, told: { place: string; pieces: readonly string[] }) {
  for (const text of told.pieces) {
    if (stage.paceMs > 0) await wait(stage.paceMs);
    config.writer?.({ place: told.place, text });
  }
}

function buildInner(stage: Stage) {
  return new StateGraph(Inner)
    .addNode("first", async ({ turn }, config) => {
      await stage.begin(config);
      await work(stage, config, { place: "inner/first", pieces: ["one ", "step"] });
      return { found: [`${turn} first`] };
    })
    .addNode("ask", async ({ turn }, config) => {
      await stage.begin(config);
      const said: unknown = interrupt({ kind: `inner ${turn}` });
      await work(stage, config, { place: "inner/ask", pieces: ["asked ", "it"] });
      return { found: [String(said)] };
    })
    .addNode("second", async ({ turn, found }, config) => {
      await stage.begin(config);
      await work(stage, config, { place: "inner/second", pieces: ["two ", "steps"] });
      return { found: [`${turn} second of ${found.length}`] };
    })
    .addEdge(START, "first")
    .addEdge("first", "ask")
    .addEdge("ask", "second")
    .addEdge("second", END)
    .compile();
}

function sibling(stage: Stage, name: string) {
  return async ({ turn, facts }: typeof State.State, config: LangGraphRunnableConfig) => {
    await stage.begin(config);
    await work(stage, config, { place: name, pieces: [`${name} `, "knows ", `${facts.length}`] });
    return { facts: [`${turn} ${name} after ${facts.length}`] };
  };
}

function branch(stage: Stage) {
  return async ({ turn, part, known }: typeof Part.State, config: LangGraphRunnableConfig) => {
    await stage.begin(config, String(part));
    const said: unknown = part === 0 ? interrupt({ kind: `branch ${turn}` }) : "unasked";
    await work(stage, config, { place: `branch ${part}`, pieces: [`part ${part} `, `of ${turn}, `, String(said)] });
    return { facts: [`${turn} branch ${part} of ${known}: ${String(said)}`] };
  };
}

function say(stage: Stage) {
  return async ({ turn, facts, messages }: typeof State.State, config: LangGraphRunnableConfig) => {
    await stage.begin(config);
    const now = facts.filter((fact) => fact.startsWith(`${turn} `)).join(", ");
    const reply = `Turn ${turn}, ${messages.length} messages, ${facts.length} facts: ${now}`;
    return { messages: [await new Speaker(reply, stage.paceMs).invoke(messages, config)] };
  };
}

/**
 * A conversation whose every turn does many things at once: two siblings, two or three tasks of one node, the first of
 * which asks, and a subgraph of three steps, the second of which asks; a model then tells what was found, which depends
 * on all the turns before. What a node tells is told in pieces that name the node.
 */
export function buildFanOut(stage: Stage) {
  return (
    new StateGraph(State)
      .addNode("plan", async ({ turn }, config) => {
        await stage.begin(config);
        return { turn: turn + 1, facts: [`${turn + 1} plan`] };
      })
      .addNode("left", sibling(stage, "left"))
      .addNode("right", sibling(stage, "right"))
      .addNode("branch", branch(stage), { input: Part })
      .addNode("inner", buildInner(stage))
      .addNode("gather", async ({ turn, found }, config) => {
        await stage.begin(config);
        return { facts: [`${turn} gathered ${found.join("; ")}`] };
      })
      .addNode("say", say(stage))
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
      // No waiting edge beside a plain one: LangGraph.js 1.7 runs a node that has both again after a resume, whatever the saver.
      .addEdge("left", "gather")
      .addEdge("right", "gather")
      .addEdge("inner", "gather")
      .addEdge("branch", "gather")
      .addEdge("gather", "say")
      .addEdge("say", END)
  );
}
