import { setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import { createQueue, setQueueLimits } from "../operate/queue-limits.ts";
import { survey } from "../read/survey.ts";
import { admitDueKey, findDueKeys } from "./admit.ts";
import { promote } from "./promote.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("promote readies the jobs whose time has come and no others", async () => {
  const [due] = await queue.addMany([{ delayMs: 60_000 }, { delayMs: 60_000 }]);
  await queue.db.sql`update jobs set run_at = clock_timestamp() where id = ${due?.jobId ?? null}`;
  expect(await queue.inTx(promote)).toBe(1);
  expect(await queue.takeIds()).toEqual([due?.jobId]);
});

test("a delayed job of a limited key takes its slot when it is due, not before", async () => {
  await createQueue(queue.db.sql, "default");
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { perKey: { concurrency: 1 } }));
  const late = await queue.add({ limitKey: "k", delayMs: 60_000 });
  const now = await queue.add({ limitKey: "k" });
  const job = await queue.takeOne();
  expect(job.jobId).toBe(now.jobId);
  await queue.makeDue();
  await queue.inTx(promote);
  for (const key of await queue.db.call(findDueKeys)) await queue.inTx(async (tx) => admitDueKey(tx, key));
  expect(await queue.read(late.jobId)).toMatchObject({ status: "queued", hold: "limit" });
  await queue.finish(job);
  expect((await queue.takeOne()).jobId).toBe(late.jobId);
});

test.each(WRONG_CLOCKS)("a delay is timed by the database's clock when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await queue.add({ delayMs: 60_000 });
  expect(await queue.inTx(promote)).toBe(0);
  const { dueMs } = await survey(queue.db.sql);
  expect(dueMs).toBeGreaterThan(20_000);
  expect(dueMs).toBeLessThanOrEqual(60_000);
});
