import { submitTurn } from "#conversation";
import { fromDrizzle } from "#db";
import { openQueue } from "../../../test/queue.ts";
import { InvalidJobError, JobConflictError } from "../errors.ts";
import { READY_CHANNEL } from "../events/wake.ts";
import type { NewJob } from "../new-job.ts";
import { enqueueMany } from "./enqueue-many.ts";
import { enqueue } from "./enqueue.ts";
import { randomUUID } from "node:crypto";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const stored = async () => {
  const [row] = await queue.db.sql<{ count: number }[]>`select count(*)::int as count from jobs`;
  return row?.count;
};
const job = { ownerId: "local", jobType: "t", payload: { a: 1 } };

test("one key is one job: under concurrency, after its end, and for its owner only", async () => {
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

test("a unique key holds while its job is unfinished, for one owner and type", async () => {
  const first = await queue.add({ uniqueKey: "u" });
  expect(await queue.add({ uniqueKey: "u" })).toMatchObject({ jobId: first.jobId, created: false });
  expect((await queue.add({ uniqueKey: "u", jobType: "other" })).created).toBe(true);
  await queue.finish(await queue.takeOne());
  expect((await queue.add({ uniqueKey: "u" })).created).toBe(true);
});

test("a unique key that is freed just when it was found taken is the new job's", async () => {
  await queue.add({ uniqueKey: "u" });
  const older = await queue.takeOne();
  const added = await queue.db.transaction(async (tx) => {
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

test("a batch of ten thousand is stored in order, with one insert", async () => {
  const statements: string[] = [];
  const sql = postgres(queue.url, { max: 1, debug: (_connection, text) => statements.push(text) });
  const jobs = Array.from({ length: 10_000 }, (_, n): NewJob => ({ ...job, payload: { n } }));
  await sql.begin(async (tx) => enqueueMany(tx, jobs));
  await sql.end();
  expect(statements.filter((text) => text.includes("insert into jobs"))).toHaveLength(1);
  const taken = await queue.take(100);
  expect(taken.map((one) => (one.payload as { n: number }).n)).toEqual(Array.from({ length: 100 }, (_, n) => n));
});

test("keys that are had already, or twice in the batch, give the first job", async () => {
  const first = await queue.add({ idempotencyKey: "a" });
  const added = await queue.addMany([{ idempotencyKey: "a" }, { idempotencyKey: "b" }, {}, { idempotencyKey: "b" }]);
  expect(added.map((one) => one.created)).toEqual([false, true, true, false]);
  expect(added[0]?.jobId).toBe(first.jobId);
  expect(added[3]?.jobId).toBe(added[1]?.jobId);
  expect(await stored()).toBe(3);
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
])("a bad %s is named, and nothing of its batch is stored", async (field, wrong) => {
  await expect(queue.addMany([{}, wrong, {}])).rejects.toThrow(InvalidJobError);
  await expect(queue.addMany([{}, wrong, {}])).rejects.toThrow(new RegExp(field));
  expect(await stored()).toBe(0);
});

test("too many jobs, or too many different threads, must be split", async () => {
  await expect(queue.addMany(Array.from({ length: 10_001 }, () => ({})))).rejects.toThrow(/10000: split/);
  await expect(queue.addMany(Array.from({ length: 1_001 }, () => ({ threadId: randomUUID() })))).rejects.toThrow(
    /split/,
  );
});

test.each<[string, unknown]>([
  ["null", null],
  ["text that only looks like an escaped NUL", "\\u0000 and \\\\u0000, \\ud83d"],
  ["whole characters beyond the basic plane", "a 😀 b"],
])("%s is a payload", async (_name, payload) => {
  await queue.add({ payload });
  expect((await queue.takeOne()).payload).toEqual(payload);
});

test("a thread whose first job of a batch has a job already still has a head", async () => {
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

test("a thread is the same however its id is written", async () => {
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

test("batches that share their keys, in opposite order and at the same time, give each key one job", async () => {
  const batch = Array.from({ length: 300 }, (_, n) => ({ idempotencyKey: `key ${n}` }));
  const all = await Promise.all([
    queue.addMany(batch),
    queue.addMany(batch.toReversed()),
    queue.addMany(batch.map((one, n) => (n % 2 === 0 ? one : { uniqueKey: `unique ${n}` }))),
  ]);
  expect(all[0]?.map((one) => one.jobId)).toEqual(all[1]?.map((one) => one.jobId).toReversed());
  expect(await stored()).toBe(450);
});

test("ten thousand jobs with keys, sent again because the answer was lost, are the same jobs", async () => {
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

test("a chat message is not taken where its key is that of a job which would not answer it", async () => {
  await queue.add({ idempotencyKey: "k" });
  const turn = { ownerId: queue.ownerId, content: "hello", idempotencyKey: "k" };
  await expect(queue.db.transaction(async (tx) => submitTurn(tx, turn))).rejects.toThrow(JobConflictError);
  const racing = Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const key = { idempotencyKey: `race ${n}` };
      const message = queue.db.transaction(async (tx) => submitTurn(tx, { ...turn, ...key })).catch(() => null);
      return [await queue.add(key), await message];
    }),
  );
  await racing;
  const rows = await queue.db.sql`
    select 1 from messages left join jobs on jobs.id = messages.job_id where jobs.job_type is distinct from 'ml_workflow'`;
  expect(rows).toHaveLength(0);
});

test("a message sent twice at once for a new thread is one job in one thread", async () => {
  const threadId = randomUUID();
  const submits = await Promise.all(
    Array.from({ length: 10 }, async () =>
      queue.db.transaction(async (tx) =>
        submitTurn(tx, { ownerId: queue.ownerId, content: "hello", idempotencyKey: "k", threadId }),
      ),
    ),
  );
  expect(new Set(submits.map((one) => `${one.jobId} ${one.threadId}`)).size).toBe(1);
  expect(await queue.db.sql`select 1 from decision_sets`).toHaveLength(1);
  const stranger = { ownerId: "other", content: "hello", idempotencyKey: "k" };
  const { jobId } = await queue.db.transaction(async (tx) => submitTurn(tx, stranger));
  expect(submits.map((one) => one.jobId)).not.toContain(jobId);
});

test("in the caller's own transaction a job is there when that commits, with its notice, and not when it rolls back", async () => {
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

test("the workers are told of a job of a thread once it has committed, unless it waits behind another", async () => {
  const threads = [randomUUID(), randomUUID()];
  const heard: string[] = [];
  const sql = postgres(queue.url, { max: 2 });
  const subscription = await sql.listen(READY_CHANNEL, (payload) => void heard.push(payload));
  const addTo = async (threadId: string | undefined, name: string) =>
    queue.db.transaction(async (tx) => {
      await enqueueMany(tx, [{ ...job, threadId, queue: name }]);
      expect(heard).not.toContain(name);
    });
  // The first after a while, and those that follow at once.
  await addTo(threads[0], "quiet");
  await addTo(threads[1], "soon after");
  await addTo(threads[0], "behind");
  await queue.db.transaction(async (tx) => enqueue(tx, { ...job, queue: "last" }));
  await expect.poll(() => heard.at(-1)).toBe("last");
  expect(heard).toEqual(["quiet", "soon after", "last"]);
  await subscription.unlisten();
  await sql.end();
});
