import { setUpQueue, WORKER } from "../../../test/queue.ts";
import { reportWorker } from "../fleet/register-worker.ts";
import { pauseJobType, pauseQueue } from "../operate/pause.ts";
import { setQueueLimits } from "../operate/queue-limits.ts";
import { sweepPaused } from "../ready/sweep-paused.ts";
import { survey } from "./survey.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("an empty queue has nothing due", async () => {
  expect(await survey(queue.db.sql)).toEqual({
    dueMs: null,
    leaseMs: null,
    admitMs: null,
    tickMs: null,
    answerMs: null,
    ready: false,
    limited: false,
    paused: false,
  });
});

test("a ready job counts as limited when its queue has a limit, and not at all when the queue is paused", async () => {
  await queue.add();
  expect(await survey(queue.db.sql)).toMatchObject({ ready: true, limited: false });
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { concurrency: 1 }));
  expect(await survey(queue.db.sql)).toMatchObject({ ready: false, limited: true });
  await pauseQueue(queue.db.sql, "default", true);
  expect(await survey(queue.db.sql)).toMatchObject({ ready: false, limited: false });
});

test("jobs of a paused type are due for a sweep until they are held, and again once the type is resumed", async () => {
  const isDue = async () => (await survey(queue.db.sql)).paused;
  await queue.add();
  await pauseJobType(queue.db.sql, "t", true);
  expect(await isDue()).toBe(true);
  await sweepPaused(queue.db.sql);
  expect(await isDue()).toBe(false);
  await pauseJobType(queue.db.sql, "t", false);
  expect(await isDue()).toBe(true);
});

test("without running jobs no lease is due", async () => {
  await reportWorker(queue.db.sql, WORKER);
  await queue.db.sql`update workers set contact_since = contact_since - interval '11 seconds'`;
  expect((await survey(queue.db.sql, WORKER)).leaseMs).toBeNull();
});
