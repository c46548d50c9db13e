import { setUpQueue } from "../../../test/queue.ts";
import { pauseJobType } from "../operate/pause.ts";
import { createQueue, setQueueLimits } from "../operate/queue-limits.ts";
import { admitDueKey, findDueKeys } from "./admit.ts";
import { sweepPaused } from "./sweep-paused.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const admitDue = async () => {
  for (const key of await queue.db.call(findDueKeys)) await queue.inTx(async (tx) => admitDueKey(tx, key));
};

test("a sweep holds the ready jobs of a paused type, and readies them once the type is resumed", async () => {
  const [paused] = await queue.addMany([{ jobType: "paused" }, { jobType: "other" }]);
  await pauseJobType(queue.db.sql, "paused", true);
  expect(await sweepPaused(queue.db.sql)).toBe(1);
  expect(await queue.read(paused?.jobId ?? "")).toMatchObject({ status: "queued", hold: "paused" });
  expect(await sweepPaused(queue.db.sql)).toBe(0);
  await pauseJobType(queue.db.sql, "paused", false);
  expect(await sweepPaused(queue.db.sql)).toBe(1);
  expect(await queue.read(paused?.jobId ?? "")).toMatchObject({ status: "queued", hold: null });
});

test("a paused type frees its slots under a limit, and waits for new ones once it is resumed", async () => {
  await createQueue(queue.db.sql, "default");
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { perKey: { concurrency: 1 } }));
  const [paused, other] = await queue.addMany([
    { limitKey: "k", jobType: "paused" },
    { limitKey: "k", jobType: "other" },
  ]);
  await pauseJobType(queue.db.sql, "paused", true);
  await sweepPaused(queue.db.sql);
  await admitDue();
  const job = await queue.takeOne();
  expect(job.jobId).toBe(other?.jobId);
  await pauseJobType(queue.db.sql, "paused", false);
  await sweepPaused(queue.db.sql);
  await admitDue();
  expect(await queue.take(5)).toEqual([]);
  await queue.finish(job);
  expect((await queue.takeOne()).jobId).toBe(paused?.jobId);
});
