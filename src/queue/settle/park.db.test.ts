import { answer } from "#conversation";
import { setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import type { ClaimedJob } from "../claimed-job.ts";
import { createQueue, setQueueLimits } from "../operate/queue-limits.ts";
import { survey } from "../read/survey.ts";
import { expireInterrupts } from "./expire-interrupts.ts";
import { park } from "./park.ts";
import type { NewInterrupt } from "./park.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const threadId = "018f0000-0000-7000-8000-000000000001";
const ask = (id: string, more: Partial<NewInterrupt> = {}): NewInterrupt => ({
  id,
  kind: "approval",
  value: { text: id },
  schema: null,
  deadlineMs: null,
  ...more,
});
const parkIt = async (job: ClaimedJob, ...asked: NewInterrupt[]) => queue.inTx(async (tx) => park(tx, job, asked));

test("a parked job waits with its question, without a worker, a lease or a used retry", async () => {
  const { jobId } = await queue.add();
  expect(await parkIt(await queue.takeOne(), ask("sure?"))).toBe("waiting");
  expect(await queue.read(jobId)).toMatchObject({
    status: "waiting",
    workerId: null,
    leaseExpiresAt: null,
    retryCount: 0,
    interrupt: { id: "sure?", kind: "approval", value: { text: "sure?" }, deadlineAt: null },
    attempts: [{ outcome: "waiting" }],
    events: [{ type: "waiting", data: { interrupts: [{ id: "sure?", kind: "approval" }] } }],
  });
  expect(await queue.take()).toEqual([]);
});

test("a parked job stays the head of its thread", async () => {
  const [first] = await queue.addMany([{ threadId }, { threadId }]);
  const job = await queue.takeOne();
  expect(job.jobId).toBe(first?.jobId);
  await parkIt(job, ask("q"));
  expect(await queue.take(5)).toEqual([]);
});

test("a parked job frees its slot under a limit", async () => {
  await createQueue(queue.db.sql, "default");
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { perKey: { concurrency: 1 } }));
  const [, second] = await queue.addMany([{ limitKey: "k" }, { limitKey: "k" }]);
  await parkIt(await queue.takeOne(), ask("q"));
  expect(await queue.takeIds()).toEqual([second?.jobId]);
});

test("a question that is asked again keeps its deadline and takes the new value", async () => {
  const { jobId } = await queue.add();
  await parkIt(await queue.takeOne(), ask("q", { deadlineMs: 60_000 }), ask("other"));
  const deadlineOf = async () => (await queue.read(jobId)).interrupts.find((one) => one.id === "q")?.deadlineAt;
  const deadline = await deadlineOf();
  await queue.inTx(async (tx) => answer(tx, { ...queue.keyOf(jobId), interruptId: "other", answers: "yes" }));
  await parkIt(await queue.takeOne(), ask("q", { deadlineMs: 9_000_000, value: "anew" }));
  expect(await deadlineOf()).toBe(deadline);
  expect((await queue.read(jobId)).interrupt).toMatchObject({ value: "anew" });
});

test("a question that was answered while the run was under way queues its job at once", async () => {
  const { jobId } = await queue.add();
  await parkIt(await queue.takeOne(), ask("q"), ask("other"));
  const reply = async (interruptId: string) =>
    queue.inTx(async (tx) => answer(tx, { ...queue.keyOf(jobId), interruptId, answers: "yes" }));
  await reply("other");
  const running = await queue.takeOne();
  await reply("q");
  expect(await parkIt(running, ask("q"))).toBe("queued");
  expect((await queue.takeOne()).attempt).toBe(3);
});

test.each(WRONG_CLOCKS)("a deadline is set by the database's clock when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await queue.add();
  await parkIt(await queue.takeOne(), ask("q", { deadlineMs: 60_000 }));
  const { answerMs } = await survey(queue.db.sql);
  expect(answerMs).toBeGreaterThan(20_000);
  expect(answerMs).toBeLessThanOrEqual(60_000);
  expect(await queue.inTx(expireInterrupts)).toBe(0);
});
