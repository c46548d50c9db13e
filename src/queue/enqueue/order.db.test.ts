import { openQueue } from "../../../test/queue.ts";
import { claim } from "../claim/claim.ts";
import { JobConflictError } from "../errors.ts";
import { changePriority } from "../operate/change-priority.ts";
import { redrive } from "../operate/redrive.ts";
import { promote } from "../ready/promote.ts";
import { cancel } from "../settle/cancel.ts";
import { release } from "../settle/release.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const threadId = "00000000-0000-7000-8000-00000000000a";
const ids = async (limit = 10) => (await queue.take(limit)).map((job) => job.jobId);

test("the jobs of a thread run one at a time in submit order, whatever their priority", async () => {
  const first = await queue.add({ threadId });
  const second = await queue.add({ threadId, priority: 100 });
  const other = await queue.add();
  expect(new Set(await ids())).toEqual(new Set([first.jobId, other.jobId]));
  expect(await ids()).toEqual([]);
  expect(await queue.read(second.jobId)).toMatchObject({ status: "queued", hold: "thread" });
  const head = await queue.read(first.jobId);
  await queue.finish({ ...(await claimOf(first.jobId)), attempt: head.attempt });
  expect(await ids()).toEqual([second.jobId]);
});

test("the head keeps its place while its retry waits, and gives it up when it has failed for good", async () => {
  const first = await queue.add({ threadId, maxRetries: 1 });
  const second = await queue.add({ threadId });
  await queue.failOne(await queue.takeOne());
  expect(await ids()).toEqual([first.jobId]);
  await queue.failOne(await claimOf(first.jobId));
  expect(await queue.statusOf(first.jobId)).toBe("failed");
  expect(await ids()).toEqual([second.jobId]);
});

test("a released or snoozed head is still the head", async () => {
  const first = await queue.add({ threadId });
  await queue.add({ threadId });
  const job = await queue.takeOne();
  await queue.db.transaction(async (tx) => release(tx, job));
  const again = await queue.takeOne();
  expect(again.jobId).toBe(first.jobId);
  await queue.db.transaction(async (tx) => release(tx, again, { delayMs: 60_000 }));
  expect(await ids()).toEqual([]);
  await queue.makeDue();
  expect(await queue.db.transaction(promote)).toBe(1);
  expect(await ids()).toEqual([first.jobId]);
});

test("cancelling the head, or one behind it, keeps the rest in order", async () => {
  const [first, second, third] = await queue.addMany([{ threadId }, { threadId }, { threadId }]);
  const stop = async (jobId = "") => queue.db.transaction(async (tx) => cancel(tx, { ownerId: queue.ownerId, jobId }));
  await stop(second?.jobId);
  expect(await ids()).toEqual([first?.jobId]);
  await queue.finish(await claimOf(first?.jobId ?? ""));
  const [next] = await queue.take();
  expect(next?.jobId).toBe(third?.jobId);
});

test("a redriven job of a busy thread waits behind the head, and comes before what was submitted after it", async () => {
  const first = await queue.add({ threadId, maxRetries: 0 });
  const second = await queue.add({ threadId });
  const third = await queue.add({ threadId });
  await queue.failOne(await queue.takeOne());
  const running = await queue.takeOne();
  expect(running.jobId).toBe(second.jobId);
  await queue.db.transaction(async (tx) => redrive(tx, { ownerId: queue.ownerId, jobId: first.jobId }));
  expect(await queue.read(first.jobId)).toMatchObject({ status: "queued", hold: "thread", retryCount: 0 });
  expect(await ids()).toEqual([]);
  await queue.finish(running);
  const next = await queue.takeOne();
  expect(next.jobId).toBe(first.jobId);
  await queue.finish(next);
  expect(await ids()).toEqual([third.jobId]);
});

test("of a thread with a thousand jobs, one is in the claim index", async () => {
  await queue.addMany(Array.from({ length: 1_000 }, () => ({ threadId })));
  const [row] = await queue.db.sql<{ ready: number }[]>`
    select count(*)::int as ready from jobs where status = 'queued' and hold is null`;
  expect(row?.ready).toBe(1);
  expect(await ids(100)).toHaveLength(1);
});

test("submitting to a thread while its head ends never leaves it without a head", async () => {
  for (let round = 0; round < 25; round += 1) {
    await queue.clear();
    await queue.add({ threadId });
    const head = await queue.takeOne();
    const [added] = await Promise.all([queue.add({ threadId }), queue.finish(head), queue.add({ threadId })]);
    expect(added.created).toBe(true);
    const [next] = await queue.take();
    expect(next).toBeDefined();
    expect(await ids()).toEqual([]);
  }
});

test("a higher priority comes first, and may be given to a queued job only", async () => {
  const low = await queue.add({ priority: -5 });
  const middle = await queue.add();
  const raised = await queue.add({ priority: -9 });
  const key = { ownerId: queue.ownerId, jobId: raised.jobId };
  await queue.db.transaction(async (tx) => changePriority(tx, key, 3));
  const found: string[] = [];
  for (let next = await queue.take(); next.length > 0; next = await queue.take())
    found.push(...next.map((job) => job.jobId));
  expect(found).toEqual([raised.jobId, middle.jobId, low.jobId]);
  await expect(queue.db.transaction(async (tx) => changePriority(tx, key, 4))).rejects.toThrow(JobConflictError);
});

test("a higher priority comes first whatever queue it is in", async () => {
  const low = await queue.addMany([{ queue: "a" }, { queue: "c" }]);
  const high = await queue.add({ queue: "b", priority: 5 });
  expect(await ids(1)).toEqual([high.jobId]);
  expect(new Set(await ids())).toEqual(new Set(low.map((job) => job.jobId)));
});

test("one claim goes down through the priorities until it has enough", async () => {
  const jobs = await queue.addMany([3, 1, 2, 1, 3].map((priority) => ({ priority })));
  const order = [0, 4, 2, 1, 3].map((index) => jobs[index]?.jobId);
  expect(await ids(4)).toEqual(order.slice(0, 4));
  expect(await ids(4)).toEqual(order.slice(4));
});

test.each(["a", "m", "z"])(
  "a flood of one owner does not keep another's next job waiting (the flood's owner is %s)",
  async (flood) => {
    await queue.addMany(Array.from({ length: 3_000 }, () => ({ ownerId: flood })));
    const { jobId } = await queue.add({ ownerId: "k" });
    const found: string[] = [];
    let afterOwner: string | undefined;
    for (let turn = 0; turn < 3; turn += 1) {
      const { jobs, lastOwner } = await claim(queue.db.sql, { workerId: "w", limit: 1, leaseMs: 30_000, afterOwner });
      found.push(...jobs.map((job) => job.jobId));
      afterOwner = lastOwner;
    }
    expect(found).toContain(jobId);
  },
);

test("a batch takes from every owner, each one's older first, and still comes out full", async () => {
  await queue.addMany(Array.from({ length: 100 }, () => ({ ownerId: "flood" })));
  const few = await queue.addMany([{ ownerId: "few" }, { ownerId: "few" }]);
  const jobs = await queue.take(20);
  expect(jobs).toHaveLength(20);
  expect(jobs.filter((job) => job.ownerId === "few").map((job) => job.jobId)).toEqual(few.map((job) => job.jobId));
});

test("a higher priority comes before another owner's turn", async () => {
  await queue.addMany([{ ownerId: "a" }, { ownerId: "b" }]);
  const urgent = await queue.addMany([
    { ownerId: "c", priority: 1 },
    { ownerId: "c", priority: 1 },
  ]);
  expect((await queue.take(2)).map((job) => job.jobId)).toEqual(urgent.map((job) => job.jobId));
});

async function claimOf(jobId: string) {
  const { attempt, workerId, queue: name, threadId: thread } = await queue.read(jobId);
  return {
    jobId,
    attempt,
    workerId: workerId ?? "",
    queue: name,
    threadId: thread,
    limitKey: null,
    ownerId: queue.ownerId,
    decisionSetId: null,
    jobType: "t",
    priority: 0,
    payload: {},
    retryCount: 0,
    maxRetries: 0,
    crashCount: 0,
    timeoutMs: null,
    budget: null,
    eventSeq: 0,
    waitedMs: null,
    traceContext: null,
  };
}
