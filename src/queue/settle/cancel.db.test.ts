import { openQueue } from "../../../test/queue.ts";
import type { ClaimedJob } from "../claimed-job.ts";
import type { Tx } from "../index.ts";
import { cancel } from "./cancel.ts";
import { fail } from "./fail.ts";
import { park } from "./park.ts";
import { reap } from "./reap.ts";
import { release } from "./release.ts";
import { releaseOrphans } from "./release-orphans.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const error = { name: "Error", message: "boom", stack: null };
const retry = { baseMs: 0, capMs: 0 };
const question = { id: "q", kind: "approval", value: null, schema: null, deadlineMs: null };
const inTx = async <T>(work: (tx: Tx) => Promise<T>) => queue.db.transaction(work);
const key = (jobId: string) => ({ ownerId: queue.ownerId, jobId });

test.each<[string, (tx: Tx, job: ClaimedJob) => Promise<unknown>]>([
  ["released", async (tx, job) => release(tx, job)],
  ["snoozed", async (tx, job) => release(tx, job, { delayMs: 60_000 })],
  ["parked", async (tx, job) => park(tx, job, [question])],
  ["failed, with retries left", async (tx, job) => fail(tx, job, { error, retry })],
])(
  "a job that is %s after somebody asked to cancel it ends as cancelled, and lets the next go on",
  async (_name, settle) => {
    const threadId = "018f0000-0000-7000-8000-000000000001";
    const [first, second] = await queue.addMany([{ threadId }, { threadId }]);
    const job = await queue.takeOne();
    expect(await inTx(async (tx) => cancel(tx, key(job.jobId)))).toBe("running");
    expect(await inTx(async (tx) => settle(tx, job))).toBe("cancelled");
    expect(await inTx(async (tx) => settle(tx, job))).toBe("cancelled");
    const view = await queue.read(first?.jobId ?? "");
    expect(view).toMatchObject({ status: "cancelled", retryCount: 0 });
    expect(view.attempts).toHaveLength(1);
    expect((await queue.takeOne()).jobId).toBe(second?.jobId);
  },
);

test("what a worker holds without knowing is not run again by another, where it is to be cancelled", async () => {
  const { jobId } = await queue.add();
  await queue.takeOne({ workerId: "w" });
  await inTx(async (tx) => cancel(tx, key(jobId)));
  expect(await releaseOrphans(queue.db.sql, "w", [])).toBe(0);
  await queue.expire(jobId);
  await reap(queue.db, { policyOf: () => retry });
  expect(await queue.statusOf(jobId)).toBe("cancelled");
});

test("a job whose end and cancellation race ends once, and never stays behind", async () => {
  const endings: ((tx: Tx, job: ClaimedJob) => Promise<unknown>)[] = [
    async (tx, job) => release(tx, job),
    async (tx, job) => park(tx, job, [question]),
    async (tx, job) => fail(tx, job, { error, retry }),
  ];
  for (let round = 0; round < 12; round += 1) {
    await queue.clear();
    const { jobId } = await queue.add();
    const job = await queue.takeOne();
    const [asked] = await Promise.all([
      inTx(async (tx) => cancel(tx, key(jobId))),
      inTx(async (tx) => endings[round % 3]?.(tx, job)),
    ]);
    expect(["running", "cancelled"]).toContain(asked);
    expect(await queue.statusOf(jobId)).toBe("cancelled");
  }
});
