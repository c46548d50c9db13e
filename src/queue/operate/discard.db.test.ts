import { setUpQueue } from "../../../test/queue.ts";
import { JobConflictError } from "../errors.ts";
import { listDeadLetters } from "../read/dead-letters.ts";
import { discard } from "./discard.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a discarded dead letter stays failed and is no longer listed, and only failed jobs can be discarded", async () => {
  const { jobId } = await queue.add({ maxRetries: 0 });
  await expect(queue.inTx(async (tx) => discard(tx, queue.keyOf(jobId)))).rejects.toThrow(JobConflictError);
  await queue.failOne(await queue.takeOne());
  await queue.inTx(async (tx) => discard(tx, queue.keyOf(jobId)));
  expect((await listDeadLetters(queue.db.sql, { ownerId: queue.ownerId })).jobs).toEqual([]);
  expect(await queue.statusOf(jobId)).toBe("failed");
});
