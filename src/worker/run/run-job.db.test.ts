import { getThread, submitTurn, getTurn } from "#conversation";
import { LeaseLostError } from "#queue";
import type { NewJob, Tx } from "#queue";
import { enqueue } from "#queue/enqueue";
import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { Database, DatabaseUnavailableError } from "#db";
import { createTestDatabase } from "../../../test/database.ts";
import { deferred } from "../../../test/deferred.ts";
import { startWorker } from "../../../test/start-worker.ts";
import type { TestWorker, TestWorkerOptions } from "../../../test/start-worker.ts";
import { takeLeases } from "../../../test/take-leases.ts";
import { defineJob, snooze } from "../define-job.ts";
import type { JobDefinition } from "../define-job.ts";
import { WaitError } from "../errors.ts";
import { mlWorkflow } from "../jobs/ml-workflow.ts";

let db: Database;
let url: string;
let drop: () => Promise<void>;
let running: TestWorker[] = [];
const ownerId = "local";

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  db = new Database({ url });
  await db.sql`create table effects (job_id uuid, attempt int)`;
});
beforeEach(async () => {
  await db.sql`truncate jobs, decision_sets, queues, effects cascade`;
});
afterEach(async () => {
  await Promise.all(running.map(async (worker) => worker.stop(0)));
  running = [];
});
afterAll(async () => {
  await db.close();
  await drop();
});

const run = async (handlers: TestWorkerOptions["handlers"], options: Partial<TestWorkerOptions> = {}) => {
  const worker = await startWorker({ db, url, handlers, ...options });
  running.push(worker);
  return worker;
};
const add = async (job: Partial<NewJob> = {}) =>
  (await db.transaction(async (tx) => enqueue(tx, { ownerId, jobType: "t", payload: {}, ...job }))).jobId;
const read = async (jobId: string) => getTurn(db.sql, { ownerId, jobId });
const reaches = async (jobId: string, status: string) => {
  await expect.poll(async () => (await read(jobId)).status, { timeout: 15_000, interval: 20 }).toBe(status);
  return read(jobId);
};
const handler = (body: JobDefinition<object>["run"], timeoutMs?: number) =>
  defineJob({ type: "t", payload: z.looseObject({}), run: body, ...(timeoutMs !== undefined && { timeoutMs }) });
const chat = () =>
  mlWorkflow({
    db,
    price: null,
    model: null,
  });

test("a turn goes from queued to completed, with its reply, its version and its events", async () => {
  const turn = { ownerId, content: "Predict churn for 2 million customers, $3,000 a month" };
  const { jobId, threadId } = await db.transaction(async (tx) => submitTurn(tx, turn));
  expect((await read(jobId)).status).toBe("queued");
  const worker = await run([chat()]);
  const job = await reaches(jobId, "completed");
  expect(job).toMatchObject({ attempt: 1, retryCount: 0, error: null, workerId: null, leaseExpiresAt: null });
  expect(job.reply).toContain("churn");
  expect(job.attempts).toMatchObject([{ attempt: 1, workerId: worker.workerId, outcome: "completed" }]);
  const types = job.events.map((event) => event.type);
  expect(types.filter((type) => type !== "task" && type !== "token")).toEqual([
    "started",
    "progress",
    "progress",
    "progress",
    "completed",
  ]);
  const text = job.events
    .flatMap((event) => (event.type === "token" ? [(event.data as { text: string }).text] : []))
    .join("");
  expect(text).toBe(job.reply);
  expect(job.events.map((event) => event.seq)).toEqual(types.map((_type, index) => index + 1));
  const thread = await getThread(db.sql, { ownerId, threadId });
  expect(thread.messages.map((message) => message.role)).toEqual(["user", "assistant"]);
  expect(thread.currentVersion).toBe(1);
});

test("the turns of a thread run one after another and build on each other", async () => {
  const first = await db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "Predict churn" }));
  const { threadId } = first;
  const second = await db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "Within 20 ms", threadId }));
  await run([chat()]);
  await reaches(second.jobId, "completed");
  const thread = await getThread(db.sql, { ownerId, threadId });
  expect(thread.messages.map((message) => message.jobId)).toEqual([
    first.jobId,
    second.jobId,
    first.jobId,
    second.jobId,
  ]);
  expect(thread.messages.at(-1)?.content).toContain("20 ms");
});

test("an unknown job type fails for good and names the known types", async () => {
  const jobId = await add({ jobType: "unheard_of" });
  await run([chat()]);
  const job = await reaches(jobId, "failed");
  expect(job.error).toBe('Unknown job type "unheard_of": this worker runs ml_workflow');
  expect(job).toMatchObject({ attempt: 1, retryCount: 0 });
});

test.each<[string, unknown, RegExp]>([
  ["no content", { messageId: uuidv7() }, /job type ml_workflow: content/],
  ["empty content", { messageId: uuidv7(), content: " " }, /job type ml_workflow: content: content must not be empty/],
  ["a list", [], /job type ml_workflow: payload/],
  [
    "a wrong role in its history",
    { messageId: "m", content: "x", history: [{ id: "a", role: "x" }] },
    /history\.0\.role/,
  ],
])("a payload with %s fails for good and names the reason", async (_name, payload, message) => {
  const jobId = await add({ jobType: "ml_workflow", payload });
  await run([chat()]);
  expect(await reaches(jobId, "failed")).toMatchObject({
    error: expect.stringMatching(message) as string,
    attempt: 1,
    retryCount: 0,
    attempts: [{ outcome: "failed", errorName: "PermanentError" }],
  });
});

test("a chat job of no thread fails for good and says how to submit one", async () => {
  const jobId = await add({ jobType: "ml_workflow", payload: { messageId: uuidv7(), content: "hello" } });
  await run([chat()]);
  expect((await reaches(jobId, "failed")).error).toContain("submit them with chat.submit");
});

test("an error is retried until the retries are used up, then the job is a dead letter with its last error", async () => {
  const seen: number[] = [];
  const jobId = await add({ maxRetries: 2 });
  await run([
    handler(async ({ job }) => {
      seen.push(job.attempt);
      throw new TypeError(`attempt ${job.attempt}: password=hunter2`);
    }),
  ]);
  const job = await reaches(jobId, "failed");
  expect(seen).toEqual([1, 2, 3]);
  expect(job).toMatchObject({ retryCount: 2, maxRetries: 2, error: "attempt 3: password=***" });
  expect(job.attempts.map((one) => [one.outcome, one.errorName])).toEqual(seen.map(() => ["failed", "TypeError"]));
  expect(JSON.stringify([job, running[0]?.lines])).not.toContain("hunter2");
});

test("a snoozed job is released with a delay and uses no retry", async () => {
  const jobId = await add({ maxRetries: 0 });
  await run([handler(async ({ job }) => (job.attempt === 1 ? snooze(50) : { result: job.attempt }))]);
  expect(await reaches(jobId, "completed")).toMatchObject({
    result: 2,
    retryCount: 0,
    attempts: [{ outcome: "released" }, { outcome: "completed" }],
  });
});

test("a thrown value that is no error counts as a failure", async () => {
  const jobId = await add({ maxRetries: 0 });
  // oxlint-disable-next-line typescript/only-throw-error -- a library may
  await run([handler(async () => Promise.reject(Object.create(null) as Error))]);
  expect((await reaches(jobId, "failed")).error).toContain("no text");
});

test("a run over its timeout is stopped, counts as timed out, and frees its slot", async () => {
  const jobId = await add({ maxRetries: 0 });
  const reason = deferred<unknown>();
  const never = deferred();
  await run(
    [
      handler(async ({ signal }) => {
        signal.addEventListener("abort", () => reason.resolve(signal.reason));
        await never.promise;
        return {};
      }, 50),
    ],
    { concurrency: 1 },
  );
  const job = await reaches(jobId, "failed");
  expect(job.attempts).toMatchObject([{ outcome: "timed_out", errorName: "JobTimeoutError" }]);
  expect(job.error).toContain("50 ms");
  expect(await reason.promise).toMatchObject({ name: "JobTimeoutError" });
  await reaches(await add({ jobType: "unheard_of" }), "failed");
  never.resolve();
});

test("effects and completion commit together or not at all", async () => {
  const jobId = await add({ maxRetries: 1 });
  await run([
    handler(async ({ job: { attempt } }) => ({
      result: { attempt },
      effects: async (tx, claim) => {
        await tx`insert into effects values (${claim.jobId}, ${claim.attempt})`;
        if (attempt === 1) throw new Error("after the write");
      },
    })),
  ]);
  expect(await reaches(jobId, "completed")).toMatchObject({
    result: { attempt: 2 },
    attempts: [{ outcome: "failed", errorMessage: "after the write" }, { outcome: "completed" }],
  });
  expect(await db.sql`select attempt from effects`).toEqual([{ attempt: 2 }]);
});

test("a result is stored without its NUL characters, and no job of the same batch fails", async () => {
  const all = deferred();
  let started = 0;
  const jobs = await Promise.all(Array.from({ length: 4 }, async (_, n) => add({ payload: { n } })));
  await run([
    handler(async ({ payload }) => {
      started += 1;
      if (started === 4) all.resolve();
      await all.promise;
      return { result: "n" in payload && payload.n === 2 ? { text: "a\u0000b" } : { text: "fine" } };
    }),
  ]);
  for (const [n, jobId] of jobs.entries())
    expect((await reaches(jobId, "completed")).result).toEqual({ text: n === 2 ? "ab" : "fine" });
});

test("a question that cannot be stored fails the attempt with the reason", async () => {
  const jobId = await add({ maxRetries: 0 });
  const question = { id: "q", kind: "approval", value: "\u0000", schema: null, deadlineMs: null };
  await run([handler(async () => Promise.reject(new WaitError([question])))]);
  expect(await reaches(jobId, "failed")).toMatchObject({ attempts: [{ outcome: "failed" }], workerId: null });
});

test("a snooze with an invalid delay fails the attempt", async () => {
  const jobId = await add({ maxRetries: 0 });
  await run([handler(async () => snooze(Number.NaN))]);
  expect((await reaches(jobId, "failed")).error).toContain("snooze takes 0 to");
});

/** Loses the answer to the first transaction with effects, after its commit. */
class ForgetfulDatabase extends Database {
  lost = 0;
  override async transaction<T>(work: (tx: Tx) => Promise<T>, deadlineMs?: number): Promise<T> {
    let settles = false;
    const value = await super.transaction(async (tx) => {
      const done = await work(tx);
      settles = (await tx`select 1 from effects`).length > 0;
      return done;
    }, deadlineMs);
    if (!settles || this.lost > 0) return value;
    this.lost += 1;
    throw new DatabaseUnavailableError("the answer was lost");
  }
}

test("a completion whose answer was lost is sent again, and its effects are there once", async () => {
  const jobId = await add();
  const forgetful = new ForgetfulDatabase({ url });
  const effects = async (tx: Tx) => void (await tx`insert into effects values (${jobId}, 1)`);
  const worker = await startWorker({
    db: forgetful,
    url,
    handlers: [handler(async () => ({ result: "done", effects }))],
  });
  running.push(worker);
  expect(await reaches(jobId, "completed")).toMatchObject({ result: "done", attempt: 1, retryCount: 0 });
  await worker.stop();
  expect(forgetful.lost).toBe(1);
  expect(await db.sql`select attempt from effects`).toEqual([{ attempt: 1 }]);
  expect(await read(jobId)).toMatchObject({ status: "completed", attempts: [{ outcome: "completed" }] });
  await forgetful.close();
});

test("a run that lost its lease is aborted and writes nothing, though its handler runs to its end", async () => {
  const started = deferred();
  const reason = deferred<unknown>();
  const mayContinue = deferred();
  const ended = deferred();
  const jobId = await add();
  await run(
    [
      handler(async ({ job: { attempt }, signal, progress }) => {
        const effects = async (tx: Parameters<typeof enqueue>[0]) =>
          void (await tx`insert into effects values (${jobId}, ${attempt})`);
        if (attempt > 1) return { result: attempt, effects };
        signal.addEventListener("abort", () => reason.resolve(signal.reason));
        started.resolve();
        await mayContinue.promise;
        progress("too late");
        ended.resolve();
        return { result: attempt, effects };
      }),
    ],
    { leaseMs: 30_000, heartbeatMs: 100, poll: { minMs: 50, maxMs: 100 } },
  );
  await started.promise;
  await takeLeases(db);
  expect(await reason.promise).toBeInstanceOf(LeaseLostError);
  const job = await reaches(jobId, "completed");
  mayContinue.resolve();
  await ended.promise;
  expect(job).toMatchObject({ result: 2, retryCount: 0, crashCount: 1 });
  expect(job.attempts.map((one) => one.outcome)).toEqual(["lease_expired", "completed"]);
  expect(await db.sql`select attempt from effects`).toEqual([{ attempt: 2 }]);
  expect((await read(jobId)).events.filter((event) => event.type === "progress")).toEqual([]);
});

test("a claim that a crashed database lost and gives to the same worker again is released, and the first run is stopped", async () => {
  const started = deferred();
  const reason = deferred<unknown>();
  const mayContinue = deferred();
  const attempts: number[] = [];
  const jobId = await add();
  await run(
    [
      handler(async ({ job: { attempt }, signal }) => {
        attempts.push(attempt);
        if (attempts.length > 1) return { result: attempt };
        signal.addEventListener("abort", () => reason.resolve(signal.reason));
        started.resolve();
        await mayContinue.promise;
        return { result: "too late" };
      }),
    ],
    { poll: { minMs: 50, maxMs: 100 } },
  );
  await started.promise;
  // Restores the job's state before the claim.
  await db.sql`
    update jobs set status = 'queued', attempt = 0, worker_id = null, last_worker_id = null, lease_expires_at = null,
      claimed_at = null, started_at = null where id = ${jobId}`;
  expect(await reason.promise).toBeInstanceOf(LeaseLostError);
  const job = await reaches(jobId, "completed");
  mayContinue.resolve();
  expect(attempts).toEqual([1, 2]);
  expect(job).toMatchObject({ result: 2, retryCount: 0 });
  expect(job.attempts.map((one) => one.outcome)).toEqual(["released", "completed"]);
});
