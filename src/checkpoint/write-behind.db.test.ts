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
/** A saver that writes behind the run, whose statements wait for `gate`, or fail with what that fails with. */
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

test("the next step does not wait until the last one is stored; `settle` does", async () => {
  const free = deferred();
  const ran: string[] = [];
  const saver = open(async () => ran.length > 0 && free.promise);
  await threeNodes(saver, ran).invoke(input, config());
  expect(ran).toEqual(["one", "two", "three"]);
  expect(await stored()).toBe(0);
  let settled = false;
  const settling = saver.settle().then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  free.resolve();
  await settling;
  expect(await stored()).toBe(5);
  // Whole: another attempt finds nothing to do.
  const again: string[] = [];
  await threeNodes(await savers.nextAttempt(), again).invoke(input, config());
  expect(again).toEqual([]);
});

test("a step is stored though the run goes on for long after it", async () => {
  const free = deferred();
  const ran: string[] = [];
  const running = threeNodes(open(), ran, async () => free.promise).invoke(input, config());
  await expect.poll(stored).toBeGreaterThan(2);
  free.resolve();
  await running;
});

test("a write that failed stops the run at the next step, and is told of at the end", async () => {
  const saver = open(async () => Promise.reject(new Error("away")));
  await saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  await expect(saver.settle()).rejects.toThrow("away");
  await expect(saver.put(config(), checkpoint({ a: 2 }), metadata, { a: 2 })).rejects.toThrow("away");
  await expect(saver.rest()).rejects.toThrow("away");
});

test("what is left at the end is the caller's to write, once, again if need be, and whole", async () => {
  const ran: string[] = [];
  const saver = open();
  await threeNodes(saver, ran).invoke(input, config());
  const rest = await saver.rest();
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

test("what is left comes after what was under way, and not where that failed", async () => {
  const free = deferred();
  let fails = false;
  const saver = open(async () => {
    await free.promise;
    if (fails) throw new Error("away");
  });
  const at = await saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  void saver.settle().catch(() => undefined);
  await saver.put(at, checkpoint({ a: 2 }), metadata, { a: 2 });
  const rest = saver.rest();
  fails = true;
  free.resolve();
  await expect(rest).rejects.toThrow("away");
  expect(await stored()).toBe(0);
});

test("what a task wrote is stored until the checkpoint after it is, and left out where that goes with it", async () => {
  const saver = open();
  const writes = async () =>
    (await savers.sql<{ task: string }[]>`select task_id as task from langgraph.checkpoint_writes`).map(
      ({ task }) => task,
    );
  const first = await saver.put(config(), checkpoint({ a: 1 }), metadata, { a: 1 });
  await saver.putWrites(first, [["a", 2]], "alone");
  await saver.settle();
  expect(await writes()).toEqual(["alone"]);
  expect((await saver.getTuple(config()))?.pendingWrites).toEqual([["alone", "a", 2]]);
  await saver.putWrites(first, [["b", 2]], "passed");
  const second = await saver.put(first, checkpoint({ a: 2 }), metadata, { a: 2 });
  await saver.putWrites(second, [["a", 3]], "last");
  await write(await saver.rest());
  expect(await writes()).toEqual(["alone", "last"]);
});

test("a saver of a thread that is new looks for nothing until it has stored something", async () => {
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
