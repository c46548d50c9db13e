import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { checkpoint, config, input, metadata, openSavers, threeNodes } from "../../test/savers.ts";

let savers: Awaited<ReturnType<typeof openSavers>>;
beforeAll(async () => {
  savers = await openSavers();
});
beforeEach(async () => savers.clear());
afterAll(async () => savers.close());

test("NUL, lone surrogates, bytes and megabytes read back unchanged", async () => {
  const saver = await savers.nextAttempt();
  const values = {
    nul: "a\0b\\u0000",
    odd: "\ud800 \u{1f600}",
    bytes: new Uint8Array([0, 255, 7]),
    inList: [new Uint8Array([1]), undefined, "x\0", ["[", '\\"', "]"]],
  };
  const big = "y".repeat(8_000_000);
  const versions = Object.fromEntries(Object.keys(values).map((name) => [name, 1]));
  const at = await saver.put(config(), checkpoint(values), { ...metadata, note: "n\0" } as never, versions);
  await saver.putWrites(
    at,
    [
      ["nul", values.nul],
      ["big", big],
    ],
    "task",
  );
  const tuple = await savers.reader().getTuple(at);
  expect(tuple?.checkpoint.channel_values).toEqual(values);
  expect(tuple?.metadata).toMatchObject({ note: "n\0", run_id: "run" });
  expect(tuple?.pendingWrites?.map(([, , value]) => value === big || value)).toEqual([values.nul, true]);
});

test("a listing pages through more checkpoints than fit one read, and filters by metadata", async () => {
  const saver = savers.reader();
  let at = await saver.put(config(), checkpoint({}), { ...metadata, source: "fork" }, {});
  for (let step = 1; step < 120; step += 1) at = await saver.put(at, checkpoint({}), { ...metadata, step }, {});
  const steps = async (options = {}) => {
    const found: (number | undefined)[] = [];
    for await (const tuple of saver.list(config(), options)) found.push(tuple.metadata?.step);
    return found;
  };
  expect(await steps()).toEqual(Array.from({ length: 120 }, (_, index) => 119 - index));
  expect(await steps({ filter: { source: "fork" } })).toEqual([0]);
  expect(await steps({ limit: 2, filter: { step: 3 } })).toEqual([3]);
});

test("a three-node turn takes at most 4 statements of one transaction each, and no step starts before the last is durable", async () => {
  const during: (number | undefined)[] = [];
  const graph = threeNodes(await savers.nextAttempt(), [], async () => {
    const [row] = await savers.sql<{ steps: number }[]>`select count(*)::int as steps from langgraph.checkpoints`;
    during.push(row?.steps);
  });
  await graph.invoke(input, config("warm"));
  savers.statements.length = 0;
  await graph.invoke(input, config("measured"));
  const sent = savers.statements.filter((query) => query.includes("langgraph.") && !query.includes("as steps"));
  expect(sent.length).toBeLessThanOrEqual(4);
  expect(savers.statements.filter((query) => /^\s*(begin|commit)/i.test(query))).toEqual([]);
  expect(during).toEqual([3, 8]);
});

test("the writes of a turn do not grow with the conversation, also with a new saver for each turn", async () => {
  const written = async () => {
    const [row] = await savers.sql<{ chars: number }[]>`
      select ((select sum(length(value)) from langgraph.checkpoint_blobs) + (select sum(length(value)) from langgraph.checkpoint_writes)
        + (select sum(length(checkpoint) + length(metadata) + length(channel_versions::text)) from langgraph.checkpoints))::int as chars`;
    return row?.chars ?? 0;
  };
  const totals = [0];
  for (let turn = 0; turn < 60; turn += 1) {
    const say = (name: string) => () => ({
      messages: [new AIMessage({ id: `${name} ${turn}`, content: "word ".repeat(100) })],
    });
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("one", say("one"))
      .addNode("two", say("two"))
      .addNode("three", say("three"))
      .addEdge(START, "one")
      .addEdge("one", "two")
      .addEdge("two", "three")
      .compile({ checkpointer: savers.reader() });
    await graph.invoke({ messages: [new HumanMessage({ id: `user ${turn}`, content: "hi" })] }, config(String(turn)));
    totals.push(await written());
  }
  const between = (from: number, to: number) => ((totals[to] ?? 0) - (totals[from] ?? 0)) / (to - from);
  expect(between(30, 60)).toBeLessThan(2 * between(0, 10));
  const state = await threeNodes(savers.reader(), []).getState(config());
  expect((state.values as typeof MessagesAnnotation.State).messages).toHaveLength(240);
});
