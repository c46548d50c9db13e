import { setUpQueue } from "../../../test/queue.ts";
import { listDeadLetters } from "./dead-letters.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const find = async (filter: object = {}) =>
  (await listDeadLetters(queue.db.sql, { ownerId: queue.ownerId, ...filter })).jobs.map((job) => job.jobId);

test("dead letters are listed by type, queue, error and time of failure", async () => {
  const [a, b] = await queue.addMany([{ jobType: "a" }, { queue: "b" }, {}]);
  for (const job of (await queue.take(3)).filter((one) => [a?.jobId, b?.jobId].includes(one.jobId)))
    await queue.failOne(job, true);
  await queue.db
    .sql`update jobs set error_message = '100% sure', completed_at = '2026-01-01Z' where id = ${b?.jobId ?? ""}`;
  expect(await find()).toEqual([b?.jobId, a?.jobId]);
  expect(await find({ jobType: "a" })).toEqual([a?.jobId]);
  expect(await find({ queue: "b" })).toEqual([b?.jobId]);
  expect(await find({ error: "0% S" })).toEqual([b?.jobId]);
  expect(await find({ error: "%" })).toEqual([b?.jobId]);
  expect(await find({ failedBefore: "2026-01-02T00:00:00Z" })).toEqual([b?.jobId]);
  expect(await find({ failedAfter: "2026-01-02T00:00:00Z" })).toEqual([a?.jobId]);
});

test("an owner sees no other owner's dead letters", async () => {
  await queue.add({ ownerId: "other" });
  await queue.failOne(await queue.takeOne(), true);
  expect(await find()).toEqual([]);
});
