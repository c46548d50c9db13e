import { AIMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { END, interrupt, MessagesAnnotation, Send, START, StateGraph } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import { afterEach, expect, test } from "vitest";
import { startModelServer } from "../../../test/model-server.ts";
import { RunSaver } from "../../../test/run-saver.ts";
import { PermanentGraphError, RateLimitedGraphError, wrapGraph } from "../index.ts";
import type { TurnEvent, TurnOptions } from "../index.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const ask = (content: string, messageId = "m") => ({ threadId: "t", messageId, content, history: [] });
const options = (more: Partial<TurnOptions> = {}): TurnOptions => ({
  runId: "r",
  signal: new AbortController().signal,
  ...more,
});
const speaker = (text: string) => new FakeListChatModel({ responses: [text], sleep: 1 });
/** A graph that writes custom data, then replies through a model. */
const talker = (text: string) =>
  new StateGraph(MessagesAnnotation)
    .addNode("note", (_state, config) => {
      config.writer?.({ note: text });
      return {};
    })
    .addNode("talk", async ({ messages }, config) => ({ messages: [await speaker(text).invoke(messages, config)] }))
    .addEdge(START, "note")
    .addEdge("note", "talk")
    .addEdge("talk", END)
    .compile();

async function openServer() {
  const server = await startModelServer("openai");
  cleanups.push(async () => server.close());
  const model = new ChatOpenAI({ model: "m", apiKey: "k", maxRetries: 0, configuration: { baseURL: server.url } });
  return { server, model };
}

test("events of a subgraph arrive once, with the names of the parent steps", async () => {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("team", talker("hello big world"))
    .addEdge(START, "team")
    .addEdge("team", END);
  const events: TurnEvent[] = [];
  const steps: string[] = [];
  const ending = await wrapGraph("g", graph).runTurn(
    new RunSaver(),
    ask("hi"),
    options({ onEvent: (event) => events.push(event), onStep: (step) => steps.push(step) }),
  );
  expect(ending).toMatchObject({ output: { reply: "hello big world" } });
  const tokens = events.flatMap((event) => (event.type === "token" ? [event.data] : []));
  expect(tokens.map(({ text }) => text).join("")).toBe("hello big world");
  expect(new Set(tokens.map(({ step }) => step))).toEqual(new Set(["team/talk"]));
  expect(events.filter(({ type }) => type === "custom")).toEqual([
    { type: "custom", data: { note: "hello big world" } },
  ]);
  expect(steps).toEqual(["team/note", "team/talk", "team"]);
});

test("tokens of concurrent messages carry their message id", async () => {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("talk", async ({ text }: { text: string }, config) => ({
      messages: [await speaker(text).invoke([], config)],
    }))
    .addConditionalEdges(START, () => ["abcdef", "uvwxyz"].map((text) => new Send("talk", { text })), ["talk"])
    .addEdge("talk", END);
  const texts = new Map<string, string>();
  const onEvent = (event: TurnEvent) => {
    if (event.type !== "token") return;
    const { message, text } = event.data;
    texts.set(message ?? "", (texts.get(message ?? "") ?? "") + text);
  };
  await wrapGraph("g", graph).runTurn(new RunSaver(), ask("hi"), options({ onEvent }));
  expect([...texts.values()].toSorted()).toEqual(["abcdef", "uvwxyz"]);
});

test.each([
  [{ status: 401 }, PermanentGraphError, { message: expect.stringContaining("refused the key") as string }],
  [{ status: 429, headers: { "retry-after": "7" } }, RateLimitedGraphError, { retryAfterMs: 7_000 }],
])("a model's refusal %j is mapped in any graph as in the built-in one", async (refusal, kind, more) => {
  const { server, model } = await openServer();
  server.behave({ kind: "refuse", ...refusal });
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("talk", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
    .addEdge(START, "talk");
  const error: unknown = await wrapGraph("g", graph)
    .runTurn(new RunSaver(), ask("hi"), options())
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(kind);
  expect(error).toMatchObject(more);
});

test("an error with a status that no model call caused stays unchanged", async () => {
  const failure = Object.assign(new Error("no such page"), { status: 404 });
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("look", () => {
      throw failure;
    })
    .addEdge(START, "look");
  await expect(wrapGraph("g", graph).runTurn(new RunSaver(), ask("hi"), options())).rejects.toBe(failure);
});

test("tool calls left open by an interrupted run are closed once, before the next message", async () => {
  let seen: BaseMessage[] = [];
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("model", ({ messages }) => {
      seen = messages;
      const calls = ["a", "b"].map((id) => ({ id, name: "order", args: {}, type: "tool_call" as const }));
      const orders = messages.at(-1)?.text === "order";
      return {
        messages: [orders ? new AIMessage({ id: "calls", content: "", tool_calls: calls }) : new AIMessage("ok")],
      };
    })
    .addNode("tools", () => ({ messages: [new AIMessage(String(interrupt("sure?")))] }))
    .addEdge(START, "model")
    .addConditionalEdges("model", ({ messages }) => (messages.at(-1)?.text === "ok" ? END : "tools"), ["tools", END]);
  const saver = new RunSaver();
  const { runTurn } = wrapGraph("g", graph);
  expect(await runTurn(saver, ask("order", "1"), options({ runId: "one" }))).toMatchObject({ waits: true });
  const next = () => runTurn(saver, ask("never mind", "2"), options({ runId: "two" }));
  expect(await next()).toEqual({ waits: false, output: { reply: "ok" } });
  const roles = () => seen.map((message) => message.type);
  expect(roles()).toEqual(["human", "ai", "tool", "tool", "human"]);
  expect(seen.slice(2, 4)).toMatchObject([
    { tool_call_id: "a", status: "error", name: "order" },
    { tool_call_id: "b", status: "error", name: "order" },
  ]);
  // A third turn adds no further tool results.
  await runTurn(saver, ask("and now?", "3"), options({ runId: "three" }));
  expect(roles()).toEqual(["human", "ai", "tool", "tool", "human", "ai", "human"]);
});
