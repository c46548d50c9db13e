import { setUpQueue } from "../../../test/queue.ts";
import { InvalidQueueError, NotFoundError } from "../errors.ts";
import { admitDueKey, findDueKeys } from "../ready/admit.ts";
import { createQueue, listQueues, setQueueLimits } from "./queue-limits.ts";
import { beforeEach, expect, test } from "vitest";

const queue = setUpQueue();
beforeEach(async () => createQueue(queue.db.sql, "default"));

const limit = async (limits: Parameters<typeof setQueueLimits>[2], name = "default") =>
  queue.inTx(async (tx) => setQueueLimits(tx, name, limits));
const admitDue = async () => {
  for (const key of await queue.db.call(findDueKeys)) await queue.inTx(async (tx) => admitDueKey(tx, key));
};

test("jobs that wait at a limit are admitted when the limit is removed", async () => {
  await limit({ perKey: { concurrency: 1 } });
  await queue.addMany(Array.from({ length: 4 }, () => ({ limitKey: "k" })));
  expect(await queue.take(10)).toHaveLength(1);
  await limit({});
  await admitDue();
  expect(await queue.take(10)).toHaveLength(3);
});

test.each<[string, object]>([
  ["concurrency", { concurrency: -1 }],
  ["concurrency", { concurrency: 1.5 }],
  ["concurrency", { concurrency: "2" }],
  ["perKey", { perKey: { concurrency: 0 } }],
  ["perKey", { perKey: { rate: { limit: 1, perMs: 0.5 } } }],
  ["unknown", { unknown: 1 }],
])("a bad %s among the limits is refused by name, and the old limits stay", async (field, limits) => {
  await limit({ concurrency: 2 });
  await expect(limit(limits)).rejects.toThrow(InvalidQueueError);
  await expect(limit(limits)).rejects.toThrow(new RegExp(field));
  expect(await listQueues(queue.db.sql)).toMatchObject([{ limits: { concurrency: 2 } }]);
});

test("the limits of a queue that does not exist cannot be set", async () => {
  await expect(limit({ concurrency: 1 }, "nowhere")).rejects.toThrow(NotFoundError);
});

test.each(["", "x".repeat(201), "a\u0000b"])("a queue cannot be named %j", async (name) => {
  await expect(createQueue(queue.db.sql, name)).rejects.toThrow(InvalidQueueError);
});

test("creating a queue again keeps its limits", async () => {
  await limit({ concurrency: 2 });
  await createQueue(queue.db.sql, "default");
  expect(await listQueues(queue.db.sql)).toMatchObject([{ limits: { concurrency: 2 } }]);
});

test("queues are listed by name with their ready, held and running jobs", async () => {
  await queue.addMany([{ queue: "b" }, { queue: "b" }, { queue: "b", delayMs: 60_000 }]);
  await queue.takeOne();
  expect(await listQueues(queue.db.sql)).toEqual([
    { queue: "b", paused: false, limits: {}, ready: 1, held: 1, running: 1 },
    { queue: "default", paused: false, limits: {}, ready: 0, held: 0, running: 0 },
  ]);
});
