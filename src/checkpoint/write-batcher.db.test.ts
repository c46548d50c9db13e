import type postgres from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { deferred } from "../../test/deferred.ts";
import { checkpoint, config, input, metadata, openSavers, threeNodes } from "../../test/savers.ts";
import { FencedSaver } from "./index.ts";

let savers: Awaited<ReturnType<typeof openSavers>>;
beforeAll(async () => {
  savers = await openSavers();
});
beforeEach(async () => savers.clear());
afterAll(async () => savers.close());

const stored = async () => (await savers.sql`select 1 from langgraph.checkpoints`).length;
/** A saver in write-behind mode. Its statements wait for `gate` and fail with its error. */
const open = (gate: () => Promise<unknown> = async () => Promise.resolve()) =>
  new FencedSaver({
    async call(work) {
      await gate();
      return work(savers.sql);
    },
    fence: null,
    isWriteBehind: true,
  });
const write = async (rest: (tx: postgres.ISql) => Promise<void>) => savers.sql.begin(async (tx) => rest(tx));

test("the next step does not wait for the storage of the last one; `flush` does", async () => {
  const free = deferred();
  const ran: string[] = [];
  const saver = open(async () => ran.length > 0 && free.promise);
  await threeNodes(saver, ran).invoke(input, config());
  expect(ran).toEqual(["one", "two", "three"]);
  expect(await stored()).toBe(0);
  let settled = false;
  const settling = saver.flush().then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  free.resolve();
  await settling;
  expect(await stored()).toBe(5);
  // The stored state is complete: another attempt runs no node.
  const again: string[] = [];
  await threeNodes(await savers.nextAttempt(), again).invoke(input, config());
  expect(again).toEqual([]);
});

test("a step is stored while a later step still runs", async () => {
  const free = deferred();
  const ran: string[] = [];
  const running = threeNodes(open(), ran, async () => free.promise).invoke(input, config());
  await expect.poll(stored).toBeGreaterThan(2);
  free.resolve();
  await running;
});

test("a failed write stops the run at the next step, and `flush` throws its error", async () => {
  const saver = open(async () => Promise.reject(new Error("away")));
  await saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  await expect(saver.flush()).rejects.toThrow("away");
  await expect(saver.put(config(), checkpoint({ a: 2 }), metadata, { a: 2 })).rejects.toThrow("away");
  await expect(saver.takeRest()).rejects.toThrow("away");
});

test("the caller's transaction writes all the rest of a run, also after a rollback and when it is repeated", async () => {
  const ran: string[] = [];
  const saver = open();
  await threeNodes(saver, ran).invoke(input, config());
  const rest = await saver.takeRest();
  const before = await stored();
  await expect(
    savers.sql.begin(async (tx) => {
      await rest(tx);
      throw new Error("undone");
    }),
  ).rejects.toThrow("undone");
  expect(await stored()).toBe(before);
  await write(rest);
  await write(rest);
  expect(await stored()).toBe(5);
  expect((await savers.reader().getTuple(config()))?.checkpoint.id).toBe(saver.head);
  const again: string[] = [];
  await threeNodes(await savers.nextAttempt(), again).invoke(input, config());
  expect(again).toEqual([]);
});

test("`takeRest` waits for the statement in flight and throws its error", async () => {
  const free = deferred();
  let fails = false;
  const saver = open(async () => {
    await free.promise;
    if (fails) throw new Error("away");
  });
  const at = await saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  void saver.flush().catch(() => undefined);
  await saver.put(at, checkpoint({ a: 2 }), metadata, { a: 2 });
  const rest = saver.takeRest();
  fails = true;
  free.resolve();
  await expect(rest).rejects.toThrow("away");
  expect(await stored()).toBe(0);
});

test("a task's writes are stored, except when the next checkpoint goes out with them", async () => {
  const saver = open();
  const writes = async () =>
    (await savers.sql<{ task: string }[]>`select task_id as task from langgraph.checkpoint_writes`).map(
      ({ task }) => task,
    );
  const first = await saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  await saver.putWrites(first, [["a", 2]], "alone");
  await saver.flush();
  expect(await writes()).toEqual(["alone"]);
  expect((await saver.getTuple(config()))?.pendingWrites).toEqual([["alone", "a", 2]]);
  await saver.putWrites(first, [["b", 2]], "passed");
  const second = await saver.put(first, checkpoint({ a: 2 }), metadata, { a: 2 });
  await saver.putWrites(second, [["a", 3]], "last");
  await write(await saver.takeRest());
  expect(await writes()).toEqual(["alone", "last"]);
});

test("the saver of a new thread reads nothing until its first write", async () => {
  let calls = 0;
  const saver = new FencedSaver({
    async call(work) {
      calls += 1;
      return work(savers.sql);
    },
    fence: null,
    isFresh: true,
  });
  expect(await saver.getTuple(config())).toBeUndefined();
  expect(calls).toBe(0);
  const { id } = checkpoint({});
  await saver.put(config(), { ...checkpoint({ a: 1 }), id }, metadata, { a: 1 });
  expect((await saver.getTuple(config()))?.checkpoint.id).toBe(id);
});
