import { submitTurn } from "#conversation";
import { Database } from "#db";
import { createTestDatabase } from "../../test/database.ts";
import { claim } from "./claim/claim.ts";
import type { ClaimedJob } from "./claimed-job.ts";
import { enqueue } from "./enqueue/enqueue.ts";
import { LeaseLostError } from "./errors.ts";
import { heartbeat } from "./fleet/heartbeat.ts";
import type { NewJob } from "./new-job.ts";
import { getJob, getJobStatus } from "./read/get-job.ts";
import { survey } from "./read/survey.ts";
import { promote } from "./ready/promote.ts";
import { complete } from "./settle/complete.ts";
import { fail } from "./settle/fail.ts";
import { reap } from "./settle/reap.ts";
import { release } from "./settle/release.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let db: Database;
let drop: () => Promise<void>;
const ownerId = "local";
const retry = { baseMs: 0, capMs: 0 };
const error = { name: "Error", message: "boom", stack: null };

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  db = new Database({ url: created.url, maxConnections: 25 });
});
beforeEach(async () => {
  await db.sql`truncate jobs, decision_sets, queues cascade`;
});
afterAll(async () => {
  await db.close();
  await drop();
});

const add = async (job: Partial<NewJob> = {}) =>
  db.transaction((tx) => enqueue(tx, { ownerId, jobType: "t", payload: { a: 1 }, ...job }));
const take = async (workerId = "w1", limit = 1, leaseMs = 30_000) =>
  (await claim(db.sql, { workerId, limit, leaseMs })).jobs;
const takeOne = async (workerId = "w1", leaseMs = 30_000): Promise<ClaimedJob> => {
  const [job] = await take(workerId, 1, leaseMs);
  if (!job) throw new Error("nothing was claimed");
  return job;
};
const status = async (jobId: string) => getJobStatus(db.sql, { ownerId, jobId });
const expire = async (jobId: string) =>
  db.sql`update jobs set lease_expires_at = clock_timestamp() - interval '1 second' where id = ${jobId}`;

test("create gives queued with priority and payload kept", async () => {
  const { jobId } = await add({ priority: 7, payload: { deep: ["x"] } });
  expect(await getJob(db.sql, { ownerId, jobId })).toMatchObject({
    status: "queued",
    priority: 7,
    payload: { deep: ["x"] },
    attempt: 0,
  });
});

test("claim gives running with worker, lease and started_at; an empty queue gives nothing", async () => {
  expect(await take()).toEqual([]);
  const { jobId } = await add();
  expect(await takeOne()).toMatchObject({ jobId, attempt: 1, workerId: "w1", payload: { a: 1 } });
  const view = await status(jobId);
  expect(view).toMatchObject({ status: "running", workerId: "w1" });
  expect(Date.parse(view.leaseExpiresAt ?? "")).toBeGreaterThan(Date.parse(view.startedAt ?? ""));
  expect(await take()).toEqual([]);
});

test("higher priority first, then older first", async () => {
  const low = await add({ priority: 1 });
  const high = await add({ priority: 10 });
  const later = await add({ priority: 10 });
  expect((await take("w1", 3)).map((job) => job.jobId)).toEqual([high.jobId, later.jobId, low.jobId]);
});

test("complete clears worker and lease and sets completed_at", async () => {
  const { jobId } = await add();
  const job = await takeOne();
  await db.transaction((tx) => complete(tx, job, { result: { ok: true } }));
  const view = await getJob(db.sql, { ownerId, jobId });
  expect(view).toMatchObject({ status: "completed", workerId: null, leaseExpiresAt: null, result: { ok: true } });
  expect(view.completedAt).not.toBeNull();
  expect(view.events.map((event) => [event.seq, event.type])).toEqual([[1, "completed"]]);
  expect(view.attempts).toMatchObject([{ attempt: 1, outcome: "completed" }]);
});

test.each([
  ["the wrong worker", (job: ClaimedJob) => ({ ...job, workerId: "other" })],
  ["an old attempt", (job: ClaimedJob) => ({ ...job, attempt: job.attempt - 1 })],
])("%s changes nothing and is told", async (_name, wrong) => {
  const { jobId } = await add();
  const job = wrong(await takeOne());
  await expect(db.transaction((tx) => complete(tx, job))).rejects.toThrow(LeaseLostError);
  await expect(db.transaction((tx) => fail(tx, job, { error, retry }))).rejects.toThrow(LeaseLostError);
  await expect(db.transaction((tx) => release(tx, job))).rejects.toThrow(LeaseLostError);
  expect((await heartbeat(db.sql, [job], 30_000)).kept.size).toBe(0);
  expect(await status(jobId)).toMatchObject({ status: "running", workerId: "w1", attempt: 1 });
});

test("an expired lease changes nothing, though nobody has reaped it", async () => {
  const { jobId } = await add();
  const job = await takeOne();
  await expire(jobId);
  await expect(db.transaction((tx) => complete(tx, job))).rejects.toThrow(LeaseLostError);
});

test("failing queues again with the error kept, until retries are used up", async () => {
  const { jobId } = await add({ maxRetries: 2 });
  for (const retryCount of [1, 2]) {
    const job = await takeOne();
    expect(await db.transaction((tx) => fail(tx, job, { error, retry }))).toBe("queued");
    expect(await status(jobId)).toMatchObject({ status: "queued", error: "boom", workerId: null, retryCount });
  }
  const last = await takeOne();
  expect(await db.transaction((tx) => fail(tx, last, { error, retry }))).toBe("failed");
  expect(await status(jobId)).toMatchObject({ status: "failed", retryCount: 2, attempt: 3 });
  expect(await take()).toEqual([]);
});

test("a permanent failure skips the retries", async () => {
  const { jobId } = await add();
  const job = await takeOne();
  await db.transaction((tx) => fail(tx, job, { error, retry, permanent: true }));
  expect(await status(jobId)).toMatchObject({ status: "failed", retryCount: 0 });
});

test("a delayed retry is not claimable until its time, by the database's clock", async () => {
  const { jobId } = await add();
  const job = await takeOne();
  await db.transaction((tx) => fail(tx, job, { error, retry: { baseMs: 60_000, capMs: 60_000 } }));
  expect(await db.transaction(promote)).toBe(0);
  expect((await survey(db.sql)).dueMs).toBeGreaterThan(25_000);
  expect(await take()).toEqual([]);
  await db.sql`update jobs set run_at = clock_timestamp() where id = ${jobId}`;
  expect(await db.transaction(promote)).toBe(1);
  expect((await takeOne()).attempt).toBe(2);
});

test("release gives the job back without using up a retry", async () => {
  const { jobId } = await add();
  const job = await takeOne();
  await db.transaction((tx) => release(tx, job));
  expect(await status(jobId)).toMatchObject({ status: "queued", retryCount: 0, workerId: null });
  expect((await takeOne("w2")).attempt).toBe(2);
});

test("reap takes back expired jobs, once, and uses no retry", async () => {
  const { jobId } = await add({ maxCrashes: 1 });
  await takeOne();
  await expire(jobId);
  const reaped = await Promise.all([
    reap(db, { policyOf: () => retry }),
    reap(db, { policyOf: () => retry }),
    reap(db, { policyOf: () => retry }),
  ]);
  expect(reaped.flat()).toHaveLength(1);
  expect(await status(jobId)).toMatchObject({ status: "queued", retryCount: 0, crashCount: 1 });
  await takeOne();
  await expire(jobId);
  await reap(db, { policyOf: () => retry });
  expect(await status(jobId)).toMatchObject({ status: "failed", retryCount: 0, crashCount: 1 });
});

test("3 workers and 5 jobs: all distinct", async () => {
  for (let n = 0; n < 5; n += 1) await add();
  const taken = await Promise.all(["w1", "w2", "w3"].map(async (worker) => take(worker, 2)));
  const rest = await take("w1", 5);
  const ids = [...taken.flat(), ...rest].map((job) => job.jobId);
  expect(new Set(ids).size).toBe(5);
  expect(ids).toHaveLength(5);
});

test("20 claimers racing for 1 job: exactly one wins", async () => {
  await add();
  const taken = await Promise.all(Array.from({ length: 20 }, async (_, n) => take(`w${n}`)));
  expect(taken.flat()).toHaveLength(1);
});

test("submitting twice is submitting once, also at the same time and after the end", async () => {
  const turn = { ownerId, content: "design", idempotencyKey: "k" };
  const submits = await Promise.all(
    Array.from({ length: 10 }, async () => db.transaction((tx) => submitTurn(tx, turn))),
  );
  expect(new Set(submits.map((one) => one.jobId)).size).toBe(1);
  const job = await takeOne();
  await db.transaction((tx) => complete(tx, job));
  expect(await db.transaction((tx) => submitTurn(tx, turn))).toMatchObject({ jobId: job.jobId, status: "completed" });
  expect(await db.sql`select id from messages`).toHaveLength(1);
});

test("in a thread one job runs at a time, in submit order", async () => {
  const first = await db.transaction((tx) => submitTurn(tx, { ownerId, content: "1" }));
  const second = await db.transaction((tx) =>
    submitTurn(tx, { ownerId, content: "2", threadId: first.threadId, priority: 100 }),
  );
  const head = await takeOne();
  expect(head.jobId).toBe(first.jobId);
  expect(await take()).toEqual([]);
  await db.transaction((tx) => fail(tx, head, { error, retry, permanent: true }));
  expect((await takeOne()).jobId).toBe(second.jobId);
});
