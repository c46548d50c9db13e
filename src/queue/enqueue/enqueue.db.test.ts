import { fromDrizzle } from "#db";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { setUpQueue } from "../../../test/queue.ts";
import { InvalidJobError } from "../errors.ts";
import { READY_CHANNEL } from "../events/notices.ts";
import { enqueueMany } from "./enqueue-many.ts";
import { enqueue } from "./enqueue.ts";
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";

const queue = setUpQueue();
const stored = async () => {
  const [row] = await queue.db.sql<{ count: number }[]>`select count(*)::int as count from jobs`;
  return row?.count;
};
const job = { ownerId: "local", jobType: "t", payload: { a: 1 } };

test("a new job is queued with its priority and its payload", async () => {
  const { jobId } = await queue.add({ priority: 7, payload: { deep: ["x"] } });
  expect(await queue.read(jobId)).toMatchObject({
    status: "queued",
    priority: 7,
    payload: { deep: ["x"] },
    attempt: 0,
  });
});

test.each<[string, unknown]>([
  ["null", null],
  ["text that only looks like an escaped NUL", "\\u0000 and \\\\u0000, \\ud83d"],
  ["whole characters beyond the basic plane", "a 😀 b"],
])("%s is a payload", async (_name, payload) => {
  await queue.add({ payload });
  expect((await queue.takeOne()).payload).toEqual(payload);
});

test.each([-1, 1.5, 101])("maxCrashes %s is refused by name, and nothing is stored", async (maxCrashes) => {
  await expect(queue.add({ maxCrashes })).rejects.toThrow(InvalidJobError);
  await expect(queue.add({ maxCrashes })).rejects.toThrow("maxCrashes must be a whole number from 0 to 100");
  expect(await queue.db.sql`select 1 from jobs`).toHaveLength(0);
});

test("an owner's idempotency key has one job, under concurrency and also after the job's end", async () => {
  const added = await Promise.all(Array.from({ length: 20 }, async () => queue.add({ idempotencyKey: "k" })));
  expect(new Set(added.map((one) => one.jobId)).size).toBe(1);
  expect(added.filter((one) => one.created)).toHaveLength(1);
  await queue.finish(await queue.takeOne());
  expect(await queue.add({ idempotencyKey: "k", payload: { other: true } })).toMatchObject({
    jobId: added[0]?.jobId,
    created: false,
    status: "completed",
  });
  expect((await queue.add({ idempotencyKey: "k", ownerId: "other" })).created).toBe(true);
  expect(await stored()).toBe(2);
});

test("a unique key holds for one owner and type as long as its job is unfinished", async () => {
  const first = await queue.add({ uniqueKey: "u" });
  expect(await queue.add({ uniqueKey: "u" })).toMatchObject({ jobId: first.jobId, created: false });
  expect((await queue.add({ uniqueKey: "u", jobType: "other" })).created).toBe(true);
  await queue.finish(await queue.takeOne());
  expect((await queue.add({ uniqueKey: "u" })).created).toBe(true);
});

test("a thread id means the same thread in capitals", async () => {
  const threadId = "018f0000-0000-7000-8000-00000000abcd";
  const [, second] = await queue.addMany([{ threadId }, { threadId: threadId.toUpperCase() }]);
  expect(second?.threadId).toBe(threadId);
  expect(await queue.take(5)).toHaveLength(1);
  for (let round = 0; round < 10; round += 1) {
    await queue.clear();
    await Promise.all([queue.add({ threadId }), queue.add({ threadId: threadId.toUpperCase() })]);
    expect(await queue.take(5)).toHaveLength(1);
  }
});

test("a job and its notice commit and roll back with the caller's own transaction", async () => {
  const sql = postgres(queue.url, { max: 2 });
  const heard: string[] = [];
  const subscription = await sql.listen(READY_CHANNEL, (payload) => void heard.push(payload));
  const boom = new Error("roll back");
  await expect(
    sql.begin(async (tx) => {
      await enqueue(tx, job);
      throw boom;
    }),
  ).rejects.toBe(boom);
  await expect(
    drizzle(sql).transaction(async (tx) => {
      await enqueue(fromDrizzle(tx), job);
      throw boom;
    }),
  ).rejects.toBe(boom);
  expect(await stored()).toBe(0);
  expect(heard).toEqual([]);
  await drizzle(sql).transaction(async (tx) => {
    await enqueue(fromDrizzle(tx), { ...job, queue: "drizzle" });
    expect(await stored()).toBe(0);
  });
  await sql.begin(async (tx) => enqueue(tx, { ...job, queue: "plain" }));
  expect(await stored()).toBe(2);
  await expect.poll(() => heard).toEqual(["drizzle", "plain"]);
  await subscription.unlisten();
  await sql.end();
  expect(() =>
    fromDrizzle({
      rollback: () => {
        throw boom;
      },
    }),
  ).toThrow(TypeError);
});

test("a transaction that stores a job is flushed at its commit", async () => {
  const sql = postgres(queue.url, { max: 1 });
  const commits = await sql.begin(async (tx) => {
    await enqueue(tx, job);
    return tx`show synchronous_commit`;
  });
  expect(commits).toEqual([{ synchronous_commit: "on" }]);
  const own = await queue.inTx(async (tx) => {
    await enqueue(tx, job);
    return tx`show synchronous_commit`;
  });
  expect(own).toEqual([{ synchronous_commit: "on" }]);
  await sql.end();
});

test("a job of a thread wakes the workers after the commit, unless it waits behind another", async () => {
  const threads = [randomUUID(), randomUUID()];
  const heard: string[] = [];
  const sql = postgres(queue.url, { max: 2 });
  const subscription = await sql.listen(READY_CHANNEL, (payload) => void heard.push(payload));
  const addTo = async (threadId: string | undefined, name: string) =>
    queue.inTx(async (tx) => {
      await enqueueMany(tx, [{ ...job, threadId, queue: name }]);
      expect(heard).not.toContain(name);
    });
  // The first notice comes after a quiet time, the others right after it.
  await addTo(threads[0], "quiet");
  await addTo(threads[1], "soon after");
  await addTo(threads[0], "behind");
  await queue.inTx(async (tx) => enqueue(tx, { ...job, queue: "last" }));
  await expect.poll(() => heard.at(-1)).toBe("last");
  expect(heard).toEqual(["quiet", "soon after", "last"]);
  await subscription.unlisten();
  await sql.end();
});
