import fc from "fast-check";
import { AT_ONCE, BOOM, setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import { MAX_DELAY_MS } from "../check-job.ts";
import { READY_CHANNEL } from "../events/notices.ts";
import { survey } from "../read/survey.ts";
import { promote } from "../ready/promote.ts";
import { fail } from "./fail.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a failed job is queued again with its error, until its retries are used up", async () => {
  const { jobId } = await queue.add({ maxRetries: 2 });
  for (const retryCount of [1, 2]) {
    const job = await queue.takeOne();
    expect(await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: AT_ONCE }))).toBe("queued");
    expect(await queue.read(jobId)).toMatchObject({ status: "queued", error: "boom", workerId: null, retryCount });
  }
  const last = await queue.takeOne();
  expect(await queue.inTx(async (tx) => fail(tx, last, { error: BOOM, retry: AT_ONCE }))).toBe("failed");
  expect(await queue.read(jobId)).toMatchObject({ status: "failed", retryCount: 2, attempt: 3 });
  expect(await queue.take()).toEqual([]);
});

test("with three retries a job runs four times, without retries once, and its history has each error", async () => {
  const { jobId } = await queue.add({ maxRetries: 3 });
  const executions: number[] = [];
  for (let found = await queue.take(); found.length > 0; found = await queue.take()) {
    const [job] = found;
    executions.push(job?.attempt ?? 0);
    const outcome = executions.length % 2 === 0 ? "timed_out" : "failed";
    await queue.inTx(async (tx) => fail(tx, job!, { error: BOOM, retry: AT_ONCE, outcome }));
  }
  expect(executions).toEqual([1, 2, 3, 4]);
  const job = await queue.read(jobId);
  expect(job).toMatchObject({ status: "failed", retryCount: 3, crashCount: 0 });
  expect(job.attempts.map((one) => one.outcome)).toEqual(["failed", "timed_out", "failed", "timed_out"]);
  expect(job.attempts[0]).toMatchObject({
    errorName: "Error",
    errorMessage: "boom",
    errorStack: BOOM.stack,
    workerId: "w",
  });
  const { jobId: fragile } = await queue.add({ maxRetries: 0 });
  expect(await queue.failOne(await queue.takeOne())).toBe("failed");
  expect((await queue.read(fragile)).attempts).toHaveLength(1);
});

test("a permanent failure skips the retries", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: AT_ONCE, permanent: true }));
  expect(await queue.read(jobId)).toMatchObject({ status: "failed", retryCount: 0 });
});

test("errors and crashes are counted separately, each with its own bound", async () => {
  const { jobId } = await queue.add({ maxRetries: 1, maxCrashes: 1 });
  await queue.crash(await queue.takeOne());
  expect(await queue.failOne(await queue.takeOne())).toBe("queued");
  expect(await queue.read(jobId)).toMatchObject({ retryCount: 1, crashCount: 1 });
  const job = await queue.takeOne();
  expect(await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: AT_ONCE, outcome: "crashed" }))).toBe(
    "failed",
  );
  expect(await queue.read(jobId)).toMatchObject({
    retryCount: 1,
    crashCount: 1,
    attempts: [{ outcome: "lease_expired" }, { outcome: "failed" }, { outcome: "crashed" }],
  });
});

test("the delay before a retry is jittered, doubles with each retry and is capped", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1, max: 600_000 }),
      async (retryCount, baseMs, capMs) => {
        await queue.clear();
        const { jobId } = await queue.add({ maxRetries: 50 });
        const job = await queue.takeOne();
        await queue.db.sql`update jobs set retry_count = ${retryCount} where id = ${jobId}`;
        await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: { baseMs, capMs } }));
        const [row] = await queue.db.sql<{ ms: number }[]>`
        select (extract(epoch from run_at - (select ended_at from job_attempts where job_id = jobs.id)) * 1000)::float8 as ms from jobs`;
        const full = Math.min(baseMs * 2 ** retryCount, capMs);
        expect(row?.ms).toBeGreaterThan(full / 2 - 20);
        expect(row?.ms).toBeLessThan(full + 20);
      },
    ),
    { numRuns: 40 },
  );
});

test.each<[number, string]>([
  [Number.NaN, "the policy's delay"],
  [Number.POSITIVE_INFINITY, "the policy's delay"],
  [-5, "no delay"],
  [1e300, "the longest delay"],
])("an attempt that asks for a delay of %d ms gets %s", async (delayMs, which) => {
  await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: { baseMs: 60_000, capMs: 60_000 }, delayMs }));
  const [row] = await queue.db.sql<{ ms: number }[]>`
    select (extract(epoch from run_at - clock_timestamp()) * 1000)::float8 as ms from jobs`;
  const [least, most] = {
    "the policy's delay": [25_000, 60_000],
    "no delay": [-5_000, 0],
    "the longest delay": [MAX_DELAY_MS - 5_000, MAX_DELAY_MS],
  }[which] ?? [0, 0];
  expect(row?.ms).toBeGreaterThanOrEqual(least ?? 0);
  expect(row?.ms).toBeLessThanOrEqual(most ?? 0);
});

test("a delayed retry cannot be claimed before its time by the database's clock", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: { baseMs: 60_000, capMs: 60_000 } }));
  expect(await queue.inTx(promote)).toBe(0);
  expect((await survey(queue.db.sql)).dueMs).toBeGreaterThan(25_000);
  expect(await queue.take()).toEqual([]);
  await queue.db.sql`update jobs set run_at = clock_timestamp() where id = ${jobId}`;
  expect(await queue.inTx(promote)).toBe(1);
  expect((await queue.takeOne()).attempt).toBe(2);
});

test.each(WRONG_CLOCKS)("a retry is delayed by the database's clock when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: { baseMs: 60_000, capMs: 60_000 } }));
  const { dueMs } = await survey(queue.db.sql);
  expect(dueMs).toBeGreaterThan(20_000);
  expect(dueMs).toBeLessThanOrEqual(60_000);
});

test("a failure with a delayed retry wakes the workers, because the retry may be due before their next poll", async () => {
  const heard = await queue.hear(READY_CHANNEL);
  await queue.add({ queue: "woken", maxRetries: 1 });
  await expect.poll(() => heard).toEqual(["woken"]);
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: { baseMs: 1000, capMs: 1000 } }));
  await expect.poll(() => heard).toEqual(["woken", "woken"]);
});
