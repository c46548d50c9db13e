import { setUpQueue } from "../../../test/queue.ts";
import { NotFoundError } from "../errors.ts";
import { READY_CHANNEL } from "../events/notices.ts";
import { sweepPaused } from "../ready/sweep-paused.ts";
import { pauseJobType, pauseQueue } from "./pause.ts";
import { createQueue } from "./queue-limits.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a paused queue and a paused job type are claimed from again once they are resumed", async () => {
  const [one, other] = await queue.addMany([{ jobType: "a" }, { jobType: "b" }]);
  await pauseQueue(queue.db.sql, "default", true);
  expect(await queue.take(5)).toEqual([]);
  await pauseQueue(queue.db.sql, "default", false);
  await pauseJobType(queue.db.sql, "a", true);
  expect((await queue.take(5)).map((job) => job.jobId)).toEqual([other?.jobId]);
  expect(await sweepPaused(queue.db.sql)).toBe(1);
  expect(await queue.read(one?.jobId ?? "")).toMatchObject({ hold: "paused" });
  const later = await queue.add({ jobType: "a" });
  expect(await queue.take(5)).toEqual([]);
  await pauseJobType(queue.db.sql, "a", false);
  await sweepPaused(queue.db.sql);
  expect((await queue.take(5)).map((job) => job.jobId)).toEqual([one?.jobId, later.jobId]);
  await expect(pauseQueue(queue.db.sql, "nowhere", true)).rejects.toThrow(NotFoundError);
});

test("the running jobs of a paused queue continue", async () => {
  await queue.add();
  const job = await queue.takeOne();
  await pauseQueue(queue.db.sql, "default", true);
  await queue.finish(job);
  expect(await queue.statusOf(job.jobId)).toBe("completed");
});

test("resuming a queue or a job type wakes the workers", async () => {
  await createQueue(queue.db.sql, "default");
  const heard = await queue.hear(READY_CHANNEL);
  await pauseQueue(queue.db.sql, "default", true);
  await pauseQueue(queue.db.sql, "default", false);
  await expect.poll(() => heard).toEqual(["default"]);
  await pauseJobType(queue.db.sql, "t", false);
  await expect.poll(() => heard).toEqual(["default", "default"]);
});
