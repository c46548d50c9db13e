import { setUpQueue } from "../../../test/queue.ts";
import { NotFoundError } from "../errors.ts";
import { appendEvents } from "../events/append-events.ts";
import { getJobStatus, getJobStatuses } from "./get-job.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a job is not found for another owner", async () => {
  const { jobId } = await queue.add();
  await expect(queue.read(jobId, "other")).rejects.toThrow(NotFoundError);
  await expect(getJobStatus(queue.db.sql, { ownerId: "other", jobId })).rejects.toThrow(NotFoundError);
});

test("statuses come in the order of their keys, and null when the owner has no such job", async () => {
  const [first, second] = await queue.addMany([{}, {}]);
  await queue.takeOne();
  const keys = [queue.keyOf(second?.jobId), { ownerId: "other", jobId: first?.jobId ?? "" }, queue.keyOf(first?.jobId)];
  expect(await getJobStatuses(queue.db.sql, keys)).toMatchObject([
    { jobId: second?.jobId, status: "queued" },
    null,
    { jobId: first?.jobId, status: "running" },
  ]);
});

test("the running attempt is listed after the recorded ones, and the closing event after the log", async () => {
  const { jobId } = await queue.add({ maxRetries: 1 });
  await queue.failOne(await queue.takeOne());
  const job = await queue.takeOne();
  const outcomes = async () => (await queue.read(jobId)).attempts.map((one) => one.outcome);
  expect(await outcomes()).toEqual(["failed", null]);
  await queue.failOne(job);
  expect(await outcomes()).toEqual(["failed", "failed"]);
  expect((await queue.read(jobId)).events).toMatchObject([
    { seq: 1, type: "retrying" },
    { seq: 2, type: "failed", data: { error: "boom" } },
  ]);
});

test("of a long log the newest 500 events are read, oldest first", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  const events = Array.from({ length: 600 }, (_, n) => ({ type: "token", data: n + 1 }));
  await appendEvents(queue.db.sql, job, { events, after: 0 });
  const { events: read } = await queue.read(jobId);
  expect([read.length, read[0]?.seq, read.at(-1)?.seq]).toEqual([500, 101, 600]);
});
