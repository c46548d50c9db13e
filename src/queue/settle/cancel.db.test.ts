import type { Tx } from "#db";
import { AT_ONCE, BOOM, setUpQueue } from "../../../test/queue.ts";
import type { ClaimedJob } from "../claimed-job.ts";
import { JobConflictError, NotFoundError } from "../errors.ts";
import { CANCEL_CHANNEL } from "../events/notices.ts";
import { heartbeat } from "../fleet/heartbeat.ts";
import { cancel } from "./cancel.ts";
import { fail } from "./fail.ts";
import { park } from "./park.ts";
import { reap } from "./reap.ts";
import { release } from "./release.ts";
import { releaseOrphans } from "./release-orphans.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const question = { id: "q", kind: "approval", value: null, schema: null, deadlineMs: null };

test("a queued job is cancelled at once, and cancelling it again changes nothing", async () => {
  const { jobId } = await queue.add();
  const stop = async () => queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId)));
  expect(await stop()).toBe("cancelled");
  const { completedAt } = await queue.read(jobId);
  expect(await stop()).toBe("cancelled");
  expect(await queue.read(jobId)).toMatchObject({ status: "cancelled", completedAt });
  expect(await queue.take()).toEqual([]);
});

test("cancelling a running job asks its worker by notice and by heartbeat, and a crash then ends it as cancelled", async () => {
  const heard = await queue.hear(CANCEL_CHANNEL);
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  expect(await queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId)))).toBe("running");
  await expect.poll(() => heard).toEqual([jobId]);
  expect((await heartbeat(queue.db.sql, [job], 30_000)).cancelled.size).toBe(1);
  await queue.expire(jobId);
  await reap(queue.db, { policyOf: () => AT_ONCE });
  expect(await queue.read(jobId)).toMatchObject({ status: "cancelled", retryCount: 0 });
  expect(await queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId)))).toBe("cancelled");
  await expect(queue.inTx(async (tx) => cancel(tx, { ownerId: "other", jobId }))).rejects.toThrow(NotFoundError);
});

test("a job that has completed cannot be cancelled", async () => {
  const { jobId } = await queue.add();
  await queue.finish(await queue.takeOne());
  await expect(queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId)))).rejects.toThrow(JobConflictError);
});

test.each<[string, (tx: Tx, job: ClaimedJob) => Promise<unknown>]>([
  ["released", async (tx, job) => release(tx, job)],
  ["snoozed", async (tx, job) => release(tx, job, { delayMs: 60_000 })],
  ["parked", async (tx, job) => park(tx, job, [question])],
  ["failed, with retries left", async (tx, job) => fail(tx, job, { error: BOOM, retry: AT_ONCE })],
])(
  "a job that is %s after a request to cancel it ends as cancelled, and the next of its thread is ready",
  async (_name, settle) => {
    const threadId = "018f0000-0000-7000-8000-000000000001";
    const [first, second] = await queue.addMany([{ threadId }, { threadId }]);
    const job = await queue.takeOne();
    expect(await queue.inTx(async (tx) => cancel(tx, queue.keyOf(job.jobId)))).toBe("running");
    expect(await queue.inTx(async (tx) => settle(tx, job))).toBe("cancelled");
    expect(await queue.inTx(async (tx) => settle(tx, job))).toBe("cancelled");
    const view = await queue.read(first?.jobId ?? "");
    expect(view).toMatchObject({ status: "cancelled", retryCount: 0 });
    expect(view.attempts).toHaveLength(1);
    expect((await queue.takeOne()).jobId).toBe(second?.jobId);
  },
);

test("a job with a cancel request, the answer to whose claim was lost, is not run by another worker", async () => {
  const { jobId } = await queue.add();
  await queue.takeOne({ workerId: "w" });
  await queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId)));
  expect(await releaseOrphans(queue.db.sql, "w", [])).toBe(0);
  await queue.expire(jobId);
  await reap(queue.db, { policyOf: () => AT_ONCE });
  expect(await queue.statusOf(jobId)).toBe("cancelled");
});

test("a cancellation that races with the end of an attempt always ends the job", async () => {
  const endings: ((tx: Tx, job: ClaimedJob) => Promise<unknown>)[] = [
    async (tx, job) => release(tx, job),
    async (tx, job) => park(tx, job, [question]),
    async (tx, job) => fail(tx, job, { error: BOOM, retry: AT_ONCE }),
  ];
  for (let round = 0; round < 12; round += 1) {
    await queue.clear();
    const { jobId } = await queue.add();
    const job = await queue.takeOne();
    const [asked] = await Promise.all([
      queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId))),
      queue.inTx(async (tx) => endings[round % 3]?.(tx, job)),
    ]);
    expect(["running", "cancelled"]).toContain(asked);
    expect(await queue.statusOf(jobId)).toBe("cancelled");
  }
});
