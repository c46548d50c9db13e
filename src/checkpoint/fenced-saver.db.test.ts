import { HumanMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import { Annotation, Command, INTERRUPT, START, StateGraph, interrupt, isInterrupted } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { v6 } from "uuid";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { checkpoint, config, input, metadata, openSavers, threeNodes } from "../../test/savers.ts";
import { FencedSaver, pruneCheckpoints } from "./index.ts";

let savers: Awaited<ReturnType<typeof openSavers>>;
beforeAll(async () => {
  savers = await openSavers();
});
beforeEach(async () => savers.clear());
afterAll(async () => savers.close());

const count = async () => {
  const [row] = await savers.sql<{ rows: number }[]>`
    select ((select count(*) from langgraph.checkpoints) + (select count(*) from langgraph.checkpoint_blobs)
      + (select count(*) from langgraph.checkpoint_writes))::int as rows`;
  return row?.rows;
};
const failOnce = (error = new Error("boom")) => {
  let failed = false;
  return () => {
    if (failed) return;
    failed = true;
    throw error;
  };
};

test.each([
  ["expired", "update jobs set lease_expires_at = clock_timestamp() - interval '1 second'"],
  ["taken by a later attempt", "update jobs set attempt = attempt + 1"],
  ["ended", "update jobs set status = 'cancelled', worker_id = null, lease_expires_at = null, completed_at = now()"],
])("a claim that is %s writes nothing and says so", async (_name, change) => {
  const saver = await savers.nextAttempt();
  const at = await saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  const before = await count();
  await savers.sql.unsafe(change);
  const lost = { code: "LEASE_LOST" };
  await expect(saver.put(at, checkpoint({ a: 2 }), metadata, { a: 2 })).rejects.toMatchObject(lost);
  await expect(saver.putWrites(at, [["a", 2]], "task")).rejects.toMatchObject(lost);
  await expect(saver.deleteThread("t")).rejects.toMatchObject(lost);
  expect(await count()).toBe(before);
});

test("a write waits for a reaper that takes the job, and then writes nothing", async () => {
  const saver = await savers.nextAttempt();
  let written: Promise<unknown> = Promise.resolve();
  await savers.sql.begin(async (tx) => {
    await tx`update jobs set attempt = attempt + 1`;
    written = saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 }).catch((error: unknown) => error);
    await vi.waitFor(async () => {
      const [waiting] =
        await savers.sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      expect(waiting).toBeDefined();
    });
  });
  expect(await written).toMatchObject({ code: "LEASE_LOST" });
  expect(await count()).toBe(0);
});

test("after a failed write no other follows, because later rows refer to it", async () => {
  let fail = true;
  const saver = new FencedSaver({
    call: async (work) => {
      if (fail) throw new Error("the database is away");
      return work(savers.sql);
    },
    fence: null,
  });
  const first = saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  await expect(first).rejects.toThrow("away");
  fail = false;
  await expect(saver.put(config(), checkpoint({ b: 1 }), metadata, { b: 1 })).rejects.toThrow("away");
  expect(await count()).toBe(0);
});

test("a run that loses its lease stops at the next step and leaves the checkpoints as they were", async () => {
  const ran: string[] = [];
  const graph = threeNodes(
    await savers.nextAttempt(),
    ran,
    async () => savers.sql`update jobs set attempt = attempt + 1`,
  );
  await expect(graph.invoke(input, config())).rejects.toMatchObject({ code: "LEASE_LOST" });
  expect(ran).toEqual(["one", "two"]);
  const state = await threeNodes(savers.reader(), ran).getState(config());
  expect(state.next).toEqual(["two"]);
});

test("a retry with the same input runs the failed node and the later ones; the user's message is stored once", async () => {
  const ran: string[] = [];
  const fail = failOnce();
  await expect(threeNodes(await savers.nextAttempt(), ran, fail).invoke(input, config())).rejects.toThrow("boom");
  const { messages } = await threeNodes(await savers.nextAttempt(), ran, fail).invoke(input, config());
  expect(ran).toEqual(["one", "two", "two", "three"]);
  expect(messages.map((message) => message.id)).toEqual(["user", "one", "two", "three"]);
});

test("a retry after the last step runs no node and returns the same state", async () => {
  const ran: string[] = [];
  const first = await threeNodes(await savers.nextAttempt(), ran).invoke(input, config());
  const second = await threeNodes(await savers.nextAttempt(), ran).invoke(input, config());
  expect(ran).toEqual(["one", "two", "three"]);
  expect(second.messages.map((message) => message.id)).toEqual(first.messages.map((message) => message.id));
});

test("another run of the thread starts over with its own input", async () => {
  const ran: string[] = [];
  await threeNodes(await savers.nextAttempt(), ran).invoke(input, config("first"));
  const more = { messages: [new HumanMessage({ id: "user 2", content: "more" })] };
  const { messages } = await threeNodes(await savers.nextAttempt(), ran).invoke(more, config("second"));
  expect(ran).toHaveLength(6);
  expect(messages.map((message) => message.id)).toContain("user 2");
});

const Log = Annotation.Root({
  log: Annotation<string[]>({ reducer: (old, next) => [...old, ...next], default: () => [] }),
});

test("a parallel sibling's finished work is durable while the step still runs, and is kept when the step fails", async () => {
  const ran: string[] = [];
  const fail = failOnce();
  const build = (checkpointer: BaseCheckpointSaver) =>
    new StateGraph(Log)
      .addNode("quick", () => {
        ran.push("quick");
        return { log: ["quick"] };
      })
      .addNode("slow", async () => {
        ran.push("slow");
        await vi.waitFor(async () => {
          expect(await savers.sql`select 1 from langgraph.checkpoint_writes where channel = 'log'`).not.toHaveLength(0);
        });
        fail();
        return { log: ["slow"] };
      })
      .addEdge(START, "quick")
      .addEdge(START, "slow")
      .compile({ checkpointer });
  await expect(build(await savers.nextAttempt()).invoke({ log: ["in"] }, config())).rejects.toThrow("boom");
  const { log } = await build(await savers.nextAttempt()).invoke({ log: ["in"] }, config());
  expect(log.toSorted()).toEqual(["in", "quick", "slow"]);
  expect(ran.toSorted()).toEqual(["quick", "slow", "slow"]);
});

test("an answer keyed by its interrupt's id never answers the next interrupt, even if it is sent again", async () => {
  const ask = (name: string) => () => ({ log: [`${name}: ${String(interrupt(name))}`] });
  const build = (checkpointer: BaseCheckpointSaver) =>
    new StateGraph(Log)
      .addNode("first", ask("first"))
      .addNode("second", ask("second"))
      .addEdge(START, "first")
      .addEdge("first", "second")
      .compile({ checkpointer });
  const interrupts = (state: unknown) => {
    if (!isInterrupted<string>(state)) throw new Error("not interrupted");
    return state[INTERRUPT];
  };
  const [one] = interrupts(await build(await savers.nextAttempt()).invoke({ log: [] }, config()));
  const answerTo = (id: string | undefined, value: string) =>
    new Command<Record<string, string>, { log?: string[] }, "first">({ resume: { [id ?? ""]: value } });
  const answer = answerTo(one?.id, "yes");
  expect(interrupts(await build(await savers.nextAttempt()).invoke(answer, config()))[0]?.value).toBe("second");
  const [two] = interrupts(await build(await savers.nextAttempt()).invoke(answer, config()));
  expect(two?.value).toBe("second");
  const last = answerTo(two?.id, "no");
  expect((await build(await savers.nextAttempt()).invoke(last, config())).log).toEqual(["first: yes", "second: no"]);
});

test("a run resumes from the last written checkpoint, even if an earlier process had a fast clock", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
  await threeNodes(await savers.nextAttempt(), []).invoke(input, config("ahead"));
  vi.useRealTimers();
  // Another process: its ids follow its own clock.
  const saver = await savers.nextAttempt();
  const put = async (text: string, version: number, parent: RunnableConfig = config("behind")) => {
    const next = { ...checkpoint({ a: text }), id: v6(), channel_versions: { a: version } };
    return saver.put(parent, next, metadata, { a: version });
  };
  const last = await put("last", 2, await put("first", 1));
  await saver.putWrites(last, [["a", "write"]], "task");
  const read = async () => savers.reader().getTuple({ configurable: { thread_id: "t" } });
  expect((await read())?.checkpoint.channel_values).toMatchObject({ a: "last" });
  await pruneCheckpoints(savers.sql, ["t"]);
  expect(await read()).toMatchObject({
    checkpoint: { channel_values: { a: "last" } },
    pendingWrites: [["task", "a", "write"]],
  });
  expect(await savers.sql`select 1 from langgraph.checkpoints`).toHaveLength(1);
});

test("both branches of a thread stay readable", async () => {
  const graph = threeNodes(savers.reader(), []);
  const first = await graph.invoke(input, config("a"));
  const base = (await graph.getState(config())).config;
  const say = (id: string) => ({ messages: [new HumanMessage({ id, content: id.repeat(100) })] });
  const from = (run_id: string) => ({
    ...base,
    configurable: { ...base.configurable, run_id },
    durability: "sync" as const,
  });
  await graph.invoke(say("left"), from("b"));
  const left = (await graph.getState(config())).config;
  await graph.invoke(say("right"), from("c"));
  const right = (await graph.getState(config())).config;
  const idsOf = async (at: typeof base) =>
    ((await threeNodes(savers.reader(), []).getState(at)).values as typeof first).messages.map((message) => message.id);
  expect(await idsOf(left)).toContain("left");
  expect(await idsOf(left)).not.toContain("right");
  expect(await idsOf(right)).toContain("right");
  expect(await idsOf(right)).not.toContain("left");
});
