import { setUpQueue } from "../../../test/queue.ts";
import { JobConflictError, NotFoundError } from "../errors.ts";
import { changePriority } from "./change-priority.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a queued job gets a higher priority and comes first, and a running job keeps its own", async () => {
  const low = await queue.add({ priority: -5 });
  const middle = await queue.add();
  const raised = await queue.add({ priority: -9 });
  const key = queue.keyOf(raised.jobId);
  await queue.inTx(async (tx) => changePriority(tx, key, 3));
  const found: string[] = [];
  for (let next = await queue.take(); next.length > 0; next = await queue.take())
    found.push(...next.map((job) => job.jobId));
  expect(found).toEqual([raised.jobId, middle.jobId, low.jobId]);
  await expect(queue.inTx(async (tx) => changePriority(tx, key, 4))).rejects.toThrow(JobConflictError);
});

test.each([1.5, 2 ** 31])("priority %d is refused by name", async (priority) => {
  const { jobId } = await queue.add();
  const change = queue.inTx(async (tx) => changePriority(tx, queue.keyOf(jobId), priority));
  await expect(change).rejects.toThrow(/^priority must be a whole number/);
});

test("another owner's job is not found", async () => {
  const { jobId } = await queue.add({ ownerId: "other" });
  await expect(queue.inTx(async (tx) => changePriority(tx, queue.keyOf(jobId), 1))).rejects.toThrow(NotFoundError);
});
