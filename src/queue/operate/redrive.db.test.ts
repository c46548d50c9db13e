import { AT_ONCE, BOOM, setUpQueue } from "../../../test/queue.ts";
import { JobConflictError } from "../errors.ts";
import { appendEvents } from "../events/append-events.ts";
import { listDeadLetters } from "../read/dead-letters.ts";
import { cancel } from "../settle/cancel.ts";
import { complete } from "../settle/complete.ts";
import { fail } from "../settle/fail.ts";
import { redrive } from "./redrive.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const threadId = "00000000-0000-7000-8000-00000000000a";
const id = (n: number) => `00000000-0000-7000-8000-0000000000${n.toString(16).padStart(2, "0")}`;
const redriveOne = async (jobId: string) => queue.inTx(async (tx) => redrive(tx, queue.keyOf(jobId)));
const stop = async (jobId: string) => queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId)));

test("a dead letter is queued again with all its retries, a revised payload and a log without a gap", async () => {
  const { jobId } = await queue.add({ maxRetries: 1 });
  const job = await queue.takeOne();
  await queue.db.call(async (sql) =>
    appendEvents(sql, job, { events: [{ type: "token", data: { text: "a" } }], after: 0 }),
  );
  await queue.failOne(job);
  await queue.failOne(await queue.takeOne());
  expect((await listDeadLetters(queue.db.sql, { ownerId: queue.ownerId })).jobs).toHaveLength(1);
  await queue.inTx(async (tx) => redrive(tx, queue.keyOf(jobId), { revise: async () => `{"edited":true}` }));
  const again = await queue.takeOne();
  expect(again).toMatchObject({ attempt: 3, payload: { edited: true }, retryCount: 0 });
  await queue.inTx(async (tx) => complete(tx, again));
  const { events, attempts } = await queue.read(jobId);
  expect(events.map((event) => [event.seq, event.type])).toEqual([
    [1, "token"],
    [2, "retrying"],
    [3, "failed"],
    [4, "redriven"],
    [5, "completed"],
  ]);
  expect(attempts.map((one) => one.outcome)).toEqual(["failed", "failed", "completed"]);
  await expect(queue.inTx(async (tx) => redrive(tx, queue.keyOf(jobId)))).rejects.toThrow(JobConflictError);
});

test("a cancelled job is queued again", async () => {
  const { jobId } = await queue.add();
  await stop(jobId);
  await redriveOne(jobId);
  expect(await queue.takeOne()).toMatchObject({ jobId, attempt: 1 });
});

test("a job that waits for its retry runs at once, and keeps its count of retries", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: AT_ONCE, delayMs: 60_000 }));
  expect(await queue.take()).toEqual([]);
  await queue.inTx(async (tx) => redrive(tx, queue.keyOf(jobId)));
  expect((await queue.takeOne()).retryCount).toBe(1);
});

test.each(["queued", "running", "completed"])("a job that is %s cannot be redriven", async (status) => {
  const { jobId } = await queue.add();
  if (status !== "queued") {
    const job = await queue.takeOne();
    if (status === "completed") await queue.finish(job);
  }
  await expect(redriveOne(jobId)).rejects.toThrow(JobConflictError);
  expect(await queue.statusOf(jobId)).toBe(status);
});

test("a dead letter that crashed often runs alone when it is redriven, with fewer crashes left", async () => {
  const { jobId } = await queue.add();
  for (let round = 0; round < 4; round += 1) await queue.crash(await queue.takeOne());
  await queue.inTx(async (tx) => redrive(tx, queue.keyOf(jobId)));
  expect((await queue.takeOne()).crashCount).toBe(2);
});

test("in a thread with unfinished jobs, a redriven job comes after the head and before later jobs", async () => {
  const first = await queue.add({ threadId, maxRetries: 0 });
  const second = await queue.add({ threadId });
  const third = await queue.add({ threadId });
  await queue.failOne(await queue.takeOne());
  const running = await queue.takeOne();
  expect(running.jobId).toBe(second.jobId);
  await queue.inTx(async (tx) => redrive(tx, queue.keyOf(first.jobId)));
  expect(await queue.read(first.jobId)).toMatchObject({ status: "queued", hold: "thread", retryCount: 0 });
  expect(await queue.takeIds()).toEqual([]);
  await queue.finish(running);
  const next = await queue.takeOne();
  expect(next.jobId).toBe(first.jobId);
  await queue.finish(next);
  expect(await queue.takeIds()).toEqual([third.jobId]);
});

test("a redriven flow runs in its order, and a single redriven job of it runs by itself", async () => {
  await queue.addMany([{ jobId: id(1) }, { jobId: id(2), after: [id(1)] }, { jobId: id(3), after: [id(2)] }]);
  await queue.failOne(await queue.takeOne(), true);
  for (const jobId of [id(1), id(2), id(3)]) await redriveOne(jobId);
  for (const jobId of [id(1), id(2), id(3)]) {
    const [job, ...others] = await queue.take(5);
    expect(job?.jobId).toBe(jobId);
    expect(others).toEqual([]);
    if (jobId === id(2)) await queue.failOne(job!, true);
    else if (job) await queue.finish(job);
    if (jobId === id(2)) await redriveOne(id(3));
  }
});

test("a job that is redriven while its dependency ends is never left waiting", async () => {
  for (let round = 0; round < 30; round += 1) {
    await queue.clear();
    await queue.addMany([{ jobId: id(1) }, { jobId: id(2), after: [id(1)] }]);
    await stop(id(2));
    const job = await queue.takeOne();
    await Promise.all([redriveOne(id(2)), queue.finish(job)]);
    expect((await queue.take()).map((one) => one.jobId)).toEqual([id(2)]);
  }
});

test("a job whose unique key belongs to an unfinished job cannot be redriven", async () => {
  const { jobId } = await queue.add({ uniqueKey: "u", maxRetries: 0 });
  await queue.failOne(await queue.takeOne());
  await queue.add({ uniqueKey: "u" });
  await expect(queue.inTx(async (tx) => redrive(tx, queue.keyOf(jobId)))).rejects.toThrow(/same uniqueKey/);
});

test("of two jobs with one unique key that are redriven at once, exactly one is queued", async () => {
  for (let round = 0; round < 10; round += 1) {
    await queue.clear();
    const ids: string[] = [];
    for (let one = 0; one < 2; one += 1) {
      ids.push((await queue.add({ uniqueKey: "u", maxRetries: 0 })).jobId);
      await queue.failOne(await queue.takeOne());
    }
    const done = await Promise.allSettled(ids.map(async (jobId) => redriveOne(jobId)));
    expect(done.filter((one) => one.status === "fulfilled")).toHaveLength(1);
    for (const one of done) if (one.status === "rejected") expect(one.reason).toBeInstanceOf(JobConflictError);
  }
});
