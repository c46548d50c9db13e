import { setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import { READY_CHANNEL } from "../events/notices.ts";
import { survey } from "../read/survey.ts";
import { promote } from "../ready/promote.ts";
import { release } from "./release.ts";
import { releaseOrphans } from "./release-orphans.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a released job is queued again without using a retry", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => release(tx, job));
  expect(await queue.read(jobId)).toMatchObject({ status: "queued", retryCount: 0, workerId: null });
  expect((await queue.takeOne({ workerId: "w2" })).attempt).toBe(2);
});

test("a snoozed job cannot be claimed before its delay has passed", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => release(tx, job, { delayMs: 60_000, reason: "busy" }));
  expect(await queue.take()).toEqual([]);
  await queue.makeDue();
  await queue.inTx(promote);
  expect(await queue.takeOne()).toMatchObject({ jobId, attempt: 2, retryCount: 0 });
});

test("the history of a released job says why it was released", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => release(tx, job, { reason: "the worker stops" }));
  const { attempts, events } = await queue.read(jobId);
  expect(attempts).toMatchObject([{ outcome: "released", errorMessage: "the worker stops" }]);
  expect(events).toMatchObject([{ type: "released", data: { reason: "the worker stops" } }]);
});

test.each(WRONG_CLOCKS)("a snooze is timed by the database's clock when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => release(tx, job, { delayMs: 60_000 }));
  const { dueMs } = await survey(queue.db.sql);
  expect(dueMs).toBeGreaterThan(20_000);
  expect(dueMs).toBeLessThanOrEqual(60_000);
});

test.each([0, 60_000])("a release with a delay of %d ms wakes the workers", async (delayMs) => {
  const heard = await queue.hear(READY_CHANNEL);
  await queue.add({ queue: "woken" });
  await expect.poll(() => heard).toEqual(["woken"]);
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => release(tx, job, { delayMs }));
  await expect.poll(() => heard).toEqual(["woken", "woken"]);
});

test("releaseOrphans queues the jobs of a worker that it does not know of, without using a retry", async () => {
  await queue.addMany([{}, {}]);
  const known = await queue.takeOne({ workerId: "w" });
  await queue.takeOne({ workerId: "w" });
  expect(await releaseOrphans(queue.db.sql, "w", [known])).toBe(1);
  expect(await queue.statusOf(known.jobId)).toBe("running");
  expect(await queue.takeOne()).toMatchObject({ attempt: 2, retryCount: 0 });
});
