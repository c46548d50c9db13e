import { setUpQueue } from "../../../test/queue.ts";
import { cancel } from "../settle/cancel.ts";
import { release } from "../settle/release.ts";
import { promote } from "./promote.ts";
import { expect, test } from "vitest";

/*
 * Order: in a thread, jobs run one at a time in submit order.
 */
const queue = setUpQueue();
const threadId = "00000000-0000-7000-8000-00000000000a";

test("the jobs of a thread run one at a time in submit order, whatever their priority", async () => {
  const first = await queue.add({ threadId });
  const second = await queue.add({ threadId, priority: 100 });
  const other = await queue.add();
  const taken = await queue.take(10);
  expect(new Set(taken.map((job) => job.jobId))).toEqual(new Set([first.jobId, other.jobId]));
  expect(await queue.takeIds()).toEqual([]);
  expect(await queue.read(second.jobId)).toMatchObject({ status: "queued", hold: "thread" });
  for (const head of taken) await queue.finish(head);
  expect(await queue.takeIds()).toEqual([second.jobId]);
});

test("the head stays the head while its retry waits, until it fails without retries left", async () => {
  const first = await queue.add({ threadId, maxRetries: 1 });
  const second = await queue.add({ threadId });
  await queue.failOne(await queue.takeOne());
  const [retried, ...others] = await queue.take(10);
  expect([retried?.jobId, others]).toEqual([first.jobId, []]);
  await queue.failOne(retried!);
  expect(await queue.statusOf(first.jobId)).toBe("failed");
  expect(await queue.takeIds()).toEqual([second.jobId]);
});

test("a released or snoozed head is still the head", async () => {
  const first = await queue.add({ threadId });
  await queue.add({ threadId });
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => release(tx, job));
  const again = await queue.takeOne();
  expect(again.jobId).toBe(first.jobId);
  await queue.inTx(async (tx) => release(tx, again, { delayMs: 60_000 }));
  expect(await queue.takeIds()).toEqual([]);
  await queue.makeDue();
  expect(await queue.inTx(promote)).toBe(1);
  expect(await queue.takeIds()).toEqual([first.jobId]);
});

test("cancelling the head, or a job behind it, keeps the rest in order", async () => {
  const [first, second, third] = await queue.addMany([{ threadId }, { threadId }, { threadId }]);
  const stop = async (jobId = "") => queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId)));
  await stop(second?.jobId);
  const [head, ...others] = await queue.take(10);
  expect([head?.jobId, others]).toEqual([first?.jobId, []]);
  await queue.finish(head!);
  const [next] = await queue.take();
  expect(next?.jobId).toBe(third?.jobId);
});

test("a thread always has a head, also when jobs are submitted while the head ends", async () => {
  for (let round = 0; round < 25; round += 1) {
    await queue.clear();
    await queue.add({ threadId });
    const head = await queue.takeOne();
    const [added] = await Promise.all([queue.add({ threadId }), queue.finish(head), queue.add({ threadId })]);
    expect(added.created).toBe(true);
    const [next] = await queue.take();
    expect(next).toBeDefined();
    expect(await queue.takeIds()).toEqual([]);
  }
});

test("of a thread with a thousand jobs, one is in the claim index", async () => {
  await queue.addMany(Array.from({ length: 1_000 }, () => ({ threadId })));
  const [row] = await queue.db.sql<{ ready: number }[]>`
    select count(*)::int as ready from jobs where status = 'queued' and hold is null`;
  expect(row?.ready).toBe(1);
  expect(await queue.takeIds(100)).toHaveLength(1);
});
