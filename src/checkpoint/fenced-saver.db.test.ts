import { AIMessage, HumanMessage } from "@langchain/core/messages";
import {
  Annotation,
  Command,
  END,
  INTERRUPT,
  MessagesAnnotation,
  START,
  StateGraph,
  interrupt,
  isInterrupted,
} from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createTestDatabase } from "../../test/database.ts";
import { FencedSaver } from "./index.ts";

let sql: postgres.Sql;
let drop: () => Promise<void>;
let statements: string[] = [];

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  sql = postgres(created.url, {
    max: 4,
    onnotice: () => undefined,
    debug: (_connection, query) => statements.push(query),
  });
});
beforeEach(async () => {
  await sql`truncate jobs, langgraph.checkpoints, langgraph.checkpoint_blobs, langgraph.checkpoint_writes cascade`;
});
afterAll(async () => {
  await sql.end();
  await drop();
});

const JOB = "00000000-0000-7000-8000-000000000001";
const attempts = { last: 0 };

/** A saver for the next attempt of the job. */
async function nextAttempt(): Promise<FencedSaver> {
  const attempt = (attempts.last += 1);
  await sql`
    insert into jobs (id, owner_id, job_type, payload, status, worker_id, attempt, lease_expires_at)
    values (${JOB}, 'local', 't', '{}', 'running', 'w', ${attempt}, clock_timestamp() + interval '1 minute')
    on conflict (id) do update set attempt = excluded.attempt, lease_expires_at = excluded.lease_expires_at`;
  return new FencedSaver({
    call: async (work) => work(sql),
    fence: {
      holds: (on) =>
        on`id = ${JOB} and attempt = ${attempt} and status = 'running' and lease_expires_at > clock_timestamp()`,
      lost: () => Object.assign(new Error("lease lost"), { code: "LEASE_LOST" }),
    },
  });
}
const reader = () => new FencedSaver({ call: async (work) => work(sql), fence: null });
const count = async () => {
  const [row] = await sql<{ rows: number }[]>`
    select ((select count(*) from langgraph.checkpoints) + (select count(*) from langgraph.checkpoint_blobs)
      + (select count(*) from langgraph.checkpoint_writes))::int as rows`;
  return row?.rows;
};
const config = (run_id = "run") => ({ configurable: { thread_id: "t", run_id }, durability: "sync" as const });
const failOnce = (error = new Error("boom")) => {
  let failed = false;
  return () => {
    if (failed) return;
    failed = true;
    throw error;
  };
};
const checkpoint = (values: Record<string, unknown>) => ({
  ...emptyCheckpoint(),
  id: uuid6(0),
  channel_values: values,
  channel_versions: Object.fromEntries(Object.keys(values).map((name) => [name, 1])),
});
const metadata = { source: "loop" as const, step: 0, parents: {} };

/** one → two → three, each noting that it ran; `two` first does what it is given. */
function threeNodes(checkpointer: BaseCheckpointSaver, ran: string[], during: () => unknown = () => undefined) {
  const note =
    (name: string, work: () => unknown = () => undefined) =>
    async () => {
      ran.push(name);
      await work();
      return { messages: [new AIMessage({ id: name, content: `from ${name}` })] };
    };
  return new StateGraph(MessagesAnnotation)
    .addNode("one", note("one"))
    .addNode("two", note("two", during))
    .addNode("three", note("three"))
    .addEdge(START, "one")
    .addEdge("one", "two")
    .addEdge("two", "three")
    .addEdge("three", END)
    .compile({ checkpointer });
}
const input = { messages: [new HumanMessage({ id: "user", content: "hello" })] };

test.each([
  ["expired", "update jobs set lease_expires_at = clock_timestamp() - interval '1 second'"],
  ["taken by a later attempt", "update jobs set attempt = attempt + 1"],
  ["ended", "update jobs set status = 'cancelled', worker_id = null, lease_expires_at = null, completed_at = now()"],
])("a claim that is %s writes nothing and says so", async (_name, change) => {
  const saver = await nextAttempt();
  const at = await saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  const before = await count();
  await sql.unsafe(change);
  const lost = { code: "LEASE_LOST" };
  await expect(saver.put(at, checkpoint({ a: 2 }), metadata, { a: 2 })).rejects.toMatchObject(lost);
  await expect(saver.putWrites(at, [["a", 2]], "task")).rejects.toMatchObject(lost);
  await expect(saver.deleteThread("t")).rejects.toMatchObject(lost);
  expect(await count()).toBe(before);
});

test("a write waits for a reaper that is taking the job, and then does not happen", async () => {
  const saver = await nextAttempt();
  let written: Promise<unknown> = Promise.resolve();
  await sql.begin(async (tx) => {
    await tx`update jobs set attempt = attempt + 1`;
    written = saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 }).catch((error: unknown) => error);
    await vi.waitFor(async () => {
      const [waiting] =
        await sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      expect(waiting).toBeDefined();
    });
  });
  expect(await written).toMatchObject({ code: "LEASE_LOST" });
  expect(await count()).toBe(0);
});

test("after a write has failed none follows, for later rows refer to it", async () => {
  let fail = true;
  const saver = new FencedSaver({
    call: async (work) => {
      if (fail) throw new Error("the database is away");
      return work(sql);
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
  const graph = threeNodes(await nextAttempt(), ran, async () => sql`update jobs set attempt = attempt + 1`);
  await expect(graph.invoke(input, config())).rejects.toMatchObject({ code: "LEASE_LOST" });
  expect(ran).toEqual(["one", "two"]);
  const state = await threeNodes(reader(), ran).getState(config());
  expect(state.next).toEqual(["two"]);
});

test("a retry with the same input runs the failed node and what follows; the user's message is there once", async () => {
  const ran: string[] = [];
  const fail = failOnce();
  await expect(threeNodes(await nextAttempt(), ran, fail).invoke(input, config())).rejects.toThrow("boom");
  const { messages } = await threeNodes(await nextAttempt(), ran, fail).invoke(input, config());
  expect(ran).toEqual(["one", "two", "two", "three"]);
  expect(messages.map((message) => message.id)).toEqual(["user", "one", "two", "three"]);
});

test("a retry after the last step runs no node and gives the same state", async () => {
  const ran: string[] = [];
  const first = await threeNodes(await nextAttempt(), ran).invoke(input, config());
  const second = await threeNodes(await nextAttempt(), ran).invoke(input, config());
  expect(ran).toEqual(["one", "two", "three"]);
  expect(second.messages.map((message) => message.id)).toEqual(first.messages.map((message) => message.id));
});

test("another run of the thread starts over with its own input", async () => {
  const ran: string[] = [];
  await threeNodes(await nextAttempt(), ran).invoke(input, config("first"));
  const more = { messages: [new HumanMessage({ id: "user 2", content: "more" })] };
  const { messages } = await threeNodes(await nextAttempt(), ran).invoke(more, config("second"));
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
          expect(await sql`select 1 from langgraph.checkpoint_writes where channel = 'log'`).not.toHaveLength(0);
        });
        fail();
        return { log: ["slow"] };
      })
      .addEdge(START, "quick")
      .addEdge(START, "slow")
      .compile({ checkpointer });
  await expect(build(await nextAttempt()).invoke({ log: ["in"] }, config())).rejects.toThrow("boom");
  const { log } = await build(await nextAttempt()).invoke({ log: ["in"] }, config());
  expect(log.toSorted()).toEqual(["in", "quick", "slow"]);
  expect(ran.toSorted()).toEqual(["quick", "slow", "slow"]);
});

test("an answer keyed by its interrupt's id never answers the next one, also when it is given again", async () => {
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
  const [one] = interrupts(await build(await nextAttempt()).invoke({ log: [] }, config()));
  const answerTo = (id: string | undefined, value: string) =>
    new Command<Record<string, string>, { log?: string[] }, "first">({ resume: { [id ?? ""]: value } });
  const answer = answerTo(one?.id, "yes");
  expect(interrupts(await build(await nextAttempt()).invoke(answer, config()))[0]?.value).toBe("second");
  const [two] = interrupts(await build(await nextAttempt()).invoke(answer, config()));
  expect(two?.value).toBe("second");
  const last = answerTo(two?.id, "no");
  expect((await build(await nextAttempt()).invoke(last, config())).log).toEqual(["first: yes", "second: no"]);
});

test("both branches of a thread stay readable", async () => {
  const graph = threeNodes(reader(), []);
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
    ((await threeNodes(reader(), []).getState(at)).values as typeof first).messages.map((message) => message.id);
  expect(await idsOf(left)).toContain("left");
  expect(await idsOf(left)).not.toContain("right");
  expect(await idsOf(right)).toContain("right");
  expect(await idsOf(right)).not.toContain("left");
});

test("NUL, lone surrogates, bytes and megabytes come back as they were", async () => {
  const saver = await nextAttempt();
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
  const tuple = await reader().getTuple(at);
  expect(tuple?.checkpoint.channel_values).toEqual(values);
  expect(tuple?.metadata).toMatchObject({ note: "n\0", run_id: "run" });
  expect(tuple?.pendingWrites?.map(([, , value]) => value === big || value)).toEqual([values.nul, true]);
});

test("a listing pages through more checkpoints than fit one read, and filters by metadata", async () => {
  const saver = reader();
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

test("a three-node turn takes at most 5 statements of one transaction each, and no step starts before the last is durable", async () => {
  const during: (number | undefined)[] = [];
  const graph = threeNodes(await nextAttempt(), [], async () => {
    const [row] = await sql<{ steps: number }[]>`select count(*)::int as steps from langgraph.checkpoints`;
    during.push(row?.steps);
  });
  await graph.invoke(input, config("warm"));
  statements = [];
  await graph.invoke(input, config("measured"));
  const sent = statements.filter((query) => query.includes("langgraph.") && !query.includes("as steps"));
  expect(sent.length).toBeLessThanOrEqual(5);
  expect(statements.filter((query) => /^\s*(begin|commit)/i.test(query))).toEqual([]);
  expect(during).toEqual([3, 8]);
});

test("what a turn writes does not grow with the conversation, whoever runs it", async () => {
  const written = async () => {
    const [row] = await sql<{ chars: number }[]>`
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
      .compile({ checkpointer: reader() });
    await graph.invoke({ messages: [new HumanMessage({ id: `user ${turn}`, content: "hi" })] }, config(String(turn)));
    totals.push(await written());
  }
  const between = (from: number, to: number) => ((totals[to] ?? 0) - (totals[from] ?? 0)) / (to - from);
  expect(between(30, 60)).toBeLessThan(2 * between(0, 10));
  const state = await threeNodes(reader(), []).getState(config());
  expect((state.values as typeof MessagesAnnotation.State).messages).toHaveLength(240);
});
