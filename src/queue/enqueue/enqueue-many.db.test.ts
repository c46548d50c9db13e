import postgres from "postgres";
import { setUpQueue } from "../../../test/queue.ts";
import { InvalidJobError } from "../errors.ts";
import type { NewJob } from "../new-job.ts";
import { enqueueMany } from "./enqueue-many.ts";
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";

const queue = setUpQueue();
const stored = async () => {
  const [row] = await queue.db.sql<{ count: number }[]>`select count(*)::int as count from jobs`;
  return row?.count;
};
const job = { ownerId: "local", jobType: "t", payload: { a: 1 } };

test("ten thousand jobs are stored in order with one insert", async () => {
  const statements: string[] = [];
  const sql = postgres(queue.url, { max: 1, debug: (_connection, text) => statements.push(text) });
  const jobs = Array.from({ length: 10_000 }, (_, n): NewJob => ({ ...job, payload: { n } }));
  await sql.begin(async (tx) => enqueueMany(tx, jobs));
  await sql.end();
  expect(statements.filter((text) => text.includes("insert into jobs"))).toHaveLength(1);
  const taken = await queue.take(100);
  expect(taken.map((one) => (one.payload as { n: number }).n)).toEqual(Array.from({ length: 100 }, (_, n) => n));
});

const other = randomUUID();

test.each<[string, Partial<NewJob>]>([
  ["priority", { priority: 2 ** 31 }],
  ["priority", { priority: 1.5 }],
  ["maxRetries", { maxRetries: -1 }],
  ["timeoutMs", { timeoutMs: 0 }],
  ["delayMs", { delayMs: -1 }],
  ["runAt", { runAt: "soon" }],
  ["runAt", { runAt: "0" }],
  ["runAt", { runAt: "2030-01-31T08:00:00" }],
  ["runAt", { runAt: "0000-01-01T00:00:00Z" }],
  ["jobType", { jobType: "" }],
  ["queue", { queue: "" }],
  ["limitKey", { limitKey: "x".repeat(201) }],
  ["idempotencyKey", { idempotencyKey: "a\u0000b" }],
  ["uniqueKey", { uniqueKey: "\uD83D" }],
  ["threadId", { threadId: "not-a-uuid" }],
  ["payload", { payload: undefined }],
  ["payload", { payload: "x".repeat(1_048_577) }],
  ["payload", { payload: { nul: "\u0000" } }],
  ["payload", { payload: { "\u0000": "as a name" } }],
  ["payload", { payload: ["\\\u0000"] }],
  ["payload", { payload: { half: "a\uD83D" } }],
  ["payload", { payload: { half: "\uDE00" } }],
  ["payload", { payload: { big: 1n } }],
  ["after", { after: ["not-a-uuid"] }],
  ["after", { after: [other] }],
  ["after", { jobId: other, after: [other] }],
])("a bad %s is refused by name, and no job of its batch is stored", async (field, wrong) => {
  await expect(queue.addMany([{}, wrong, {}])).rejects.toThrow(InvalidJobError);
  await expect(queue.addMany([{}, wrong, {}])).rejects.toThrow(new RegExp(field));
  expect(await stored()).toBe(0);
});

test("a batch with too many jobs or too many threads must be split", async () => {
  await expect(queue.addMany(Array.from({ length: 10_001 }, () => ({})))).rejects.toThrow(/10000: split/);
  await expect(queue.addMany(Array.from({ length: 1_001 }, () => ({ threadId: randomUUID() })))).rejects.toThrow(
    /split/,
  );
});

test("a key that is taken, or given twice in the batch, returns the first job", async () => {
  const first = await queue.add({ idempotencyKey: "a" });
  const added = await queue.addMany([{ idempotencyKey: "a" }, { idempotencyKey: "b" }, {}, { idempotencyKey: "b" }]);
  expect(added.map((one) => one.created)).toEqual([false, true, true, false]);
  expect(added[0]?.jobId).toBe(first.jobId);
  expect(added[3]?.jobId).toBe(added[1]?.jobId);
  expect(await stored()).toBe(3);
});

test("ten thousand jobs with keys that are sent again, as after a lost answer, return the same jobs", async () => {
  const batch = Array.from({ length: 10_000 }, (_, n) => ({
    jobId: `018f0000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`,
    idempotencyKey: `key ${n}`,
  }));
  const first = await queue.addMany(batch);
  const again = await queue.addMany(batch);
  expect(again.map((one) => one.jobId)).toEqual(first.map((one) => one.jobId));
  expect(again.some((one) => one.created)).toBe(false);
  expect(await stored()).toBe(10_000);
});

test("batches that share keys in opposite order, at the same time, store one job for each key", async () => {
  const batch = Array.from({ length: 300 }, (_, n) => ({ idempotencyKey: `key ${n}` }));
  const all = await Promise.all([
    queue.addMany(batch),
    queue.addMany(batch.toReversed()),
    queue.addMany(batch.map((one, n) => (n % 2 === 0 ? one : { uniqueKey: `unique ${n}` }))),
  ]);
  expect(all[0]?.map((one) => one.jobId)).toEqual(all[1]?.map((one) => one.jobId).toReversed());
  expect(await stored()).toBe(450);
});

test("a unique key that is freed while the batch finds it taken belongs to the new job", async () => {
  await queue.add({ uniqueKey: "u" });
  const older = await queue.takeOne();
  const added = await queue.inTx(async (tx) => {
    let ended = false;
    const insert = async (...sent: Parameters<typeof tx.unsafe>) => {
      const rows = await tx.unsafe(...sent);
      if (!ended) await queue.finish(older);
      ended = true;
      return rows;
    };
    const unsafe = (...sent: Parameters<typeof tx.unsafe>) =>
      sent[0].includes("insert into jobs") ? insert(...sent) : tx.unsafe(...sent);
    const spied = new Proxy(tx, {
      get: (target, name: keyof typeof tx) => (name === "unsafe" ? unsafe : target[name]),
    });
    return enqueueMany(spied, [{ ...job, uniqueKey: "u" }, job]);
  });
  expect(added.map((one) => one.created)).toEqual([true, true]);
  expect(await queue.statusOf(older.jobId)).toBe("completed");
  expect(await queue.statusOf(added[0]?.jobId ?? "")).toBe("queued");
});

test("a thread has a head even if the first of its jobs in the batch was stored before", async () => {
  const threadId = randomUUID();
  await queue.add({ idempotencyKey: "done" });
  await queue.finish(await queue.takeOne());
  const [, second, third] = await queue.addMany([{ threadId, idempotencyKey: "done" }, { threadId }, { threadId }]);
  const head = await queue.takeOne();
  expect(head.jobId).toBe(second?.jobId);
  expect(await queue.take()).toEqual([]);
  await queue.finish(head);
  expect((await queue.takeOne()).jobId).toBe(third?.jobId);
});
