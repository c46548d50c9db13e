import { setUpQueue } from "../../../test/queue.ts";
import type { ClaimedJob } from "../claimed-job.ts";
import { lockJob } from "../lock-job.ts";
import { createQueue, setQueueLimits } from "../operate/queue-limits.ts";
import { park } from "../settle/park.ts";
import { resume } from "./resume.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const parkIt = async (job: ClaimedJob) =>
  queue.inTx(async (tx) => park(tx, job, [{ id: "q", kind: "approval", value: null, schema: null, deadlineMs: null }]));
const resumeJob = async (jobId: string) =>
  queue.inTx(async (tx) => resume(tx, await lockJob(tx, queue.keyOf(jobId)), { interruptIds: ["q"] }));

test("a resumed job is ready, and its log names the answered questions", async () => {
  const { jobId } = await queue.add();
  await parkIt(await queue.takeOne());
  await resumeJob(jobId);
  expect((await queue.read(jobId)).events.at(-1)).toMatchObject({
    seq: 2,
    type: "answered",
    data: { interruptIds: ["q"] },
  });
  expect(await queue.takeOne()).toMatchObject({ jobId, attempt: 2 });
});

test("a resumed job of a limited key waits for a slot", async () => {
  await createQueue(queue.db.sql, "default");
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { perKey: { concurrency: 1 } }));
  const [first] = await queue.addMany([{ limitKey: "k" }, { limitKey: "k" }]);
  await parkIt(await queue.takeOne());
  const second = await queue.takeOne();
  await resumeJob(first?.jobId ?? "");
  expect(await queue.read(first?.jobId ?? "")).toMatchObject({ status: "queued", hold: "limit" });
  await queue.finish(second);
  expect(await queue.takeIds()).toEqual([first?.jobId]);
});
