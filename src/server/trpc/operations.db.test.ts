import type { ClaimedJob } from "#queue";
import { claim } from "#queue/claim";
import { reportWorker } from "#queue/fleet";
import { complete, fail } from "#queue/settle";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Database } from "#db";
import { createTestDatabase } from "../../../test/database.ts";
import { buildApp } from "../app.ts";

let db: Database;
let app: FastifyInstance;
let drop: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  db = new Database({ url: created.url });
  app = await buildApp({ db, logLevel: "silent" });
});
beforeEach(async () => {
  await db.sql`truncate jobs, decision_sets, queues, schedules, job_types, workers cascade`;
});
afterAll(async () => {
  await app.close();
  await db.close();
  await drop();
});

interface Answer {
  status: number;
  /** What the procedure returned; undefined for an error. */
  data: unknown;
  message: string | undefined;
}
const call = async (path: string, input: unknown, method: "GET" | "POST" = "POST"): Promise<Answer> => {
  const url = `/api/trpc/${path}`;
  const response =
    method === "POST"
      ? await app.inject({ method, url, payload: input as Record<string, unknown> })
      : await app.inject({ url: `${url}?input=${encodeURIComponent(JSON.stringify(input))}` });
  const body = response.json<{ result?: { data: unknown }; error?: { message: string } }>();
  return { status: response.statusCode, data: body.result?.data, message: body.error?.message };
};
const submit = async (content = "Predict churn") => {
  const { data } = await call("chat.submit", { content });
  return (data as { jobId: string }).jobId;
};
const take = async (): Promise<ClaimedJob> => {
  const { jobs } = await claim(db.sql, { workerId: "w", limit: 1, leaseMs: 30_000 });
  if (!jobs[0]) throw new Error("nothing was claimed");
  return jobs[0];
};
const failOne = async () => {
  const job = await take();
  const error = { name: "Error", message: "the model is away", stack: null };
  await db.transaction(async (tx) => fail(tx, job, { error, retry: { baseMs: 0, capMs: 0 }, permanent: true }));
};
const statusOf = async (jobId: string) => (await call("jobs.status", { jobId }, "GET")).data;

test("a queued job is cancelled at once, cancelling again is the same, and it can be retried", async () => {
  const jobId = await submit();
  expect((await call("jobs.cancel", { jobId })).data).toEqual({ jobId, status: "cancelled" });
  expect((await call("jobs.cancel", { jobId })).data).toEqual({ jobId, status: "cancelled" });
  expect((await call("jobs.retry", { jobId })).data).toEqual({ jobId });
  expect(await statusOf(jobId)).toMatchObject({ status: "queued" });
  const job = await take();
  expect((await call("jobs.cancel", { jobId })).data).toEqual({ jobId, status: "running" });
  await db.transaction(async (tx) => complete(tx, job));
  expect(await call("jobs.cancel", { jobId })).toMatchObject({
    status: 409,
    message: expect.stringContaining("completed") as string,
  });
  expect(await call("jobs.retry", { jobId })).toMatchObject({ status: 409 });
});

test("an edited payload must fit the job type", async () => {
  const jobId = await submit();
  await failOne();
  const bad = await call("jobs.retry", { jobId, payload: { content: "" } });
  expect(bad).toMatchObject({ status: 400, message: expect.stringContaining("payload: content") as string });
  expect(await statusOf(jobId)).toMatchObject({ status: "failed" });
  const { data } = await call("jobs.get", { jobId }, "GET");
  const { payload } = data as { payload: object };
  expect((await call("jobs.retry", { jobId, payload: { ...payload, content: "Predict returns" } })).status).toBe(200);
  expect((await call("jobs.get", { jobId }, "GET")).data).toMatchObject({
    status: "queued",
    payload: { content: "Predict returns" },
    attempts: [{ errorMessage: "the model is away" }],
  });
});

test("dead letters are listed by what they failed of, retried together, or put aside", async () => {
  const [first, second] = [await submit("one"), await submit("two")];
  await failOne();
  await failOne();
  const list = async (filter: object) =>
    ((await call("jobs.deadLetters", filter, "GET")).data as { jobs: { jobId: string }[] }).jobs.map(
      (job) => job.jobId,
    );
  expect(await list({})).toEqual([second, first]);
  expect(await list({ error: "MODEL" })).toHaveLength(2);
  expect(await list({ error: "no such" })).toEqual([]);
  expect((await call("jobs.discard", { jobIds: [first] })).data).toEqual({ done: 1, refused: [] });
  expect(await list({})).toEqual([second]);
  const many = await call("jobs.retryMany", { jobIds: [second, "00000000-0000-7000-8000-000000000000"] });
  expect(many.data).toMatchObject({ done: 1, refused: [{ reason: "Job not found" }] });
  expect(await list({})).toEqual([]);
});

test("queues are listed, paused, resumed and limited; unknown ones and bad limits are refused", async () => {
  await submit();
  expect((await call("queues.pause", { queue: "default" })).data).toEqual({ queue: "default", paused: true });
  expect((await claim(db.sql, { workerId: "w", limit: 1, leaseMs: 1_000 })).jobs).toEqual([]);
  expect((await call("queues.list", null, "GET")).data).toMatchObject({
    queues: [{ queue: "default", paused: true, ready: 1 }],
  });
  expect((await call("queues.resume", { queue: "default" })).status).toBe(200);
  expect(await call("queues.pause", { queue: "nowhere" })).toMatchObject({ status: 404 });
  expect((await call("queues.setLimits", { queue: "default", limits: { concurrency: 2 } })).status).toBe(200);
  for (const limits of [
    { concurrency: 0 },
    { concurrency: -1 },
    { concurrency: 1.5 },
    { perKey: { rate: { limit: 1, perMs: 0 } } },
    { speed: 1 },
  ]) {
    expect(await call("queues.setLimits", { queue: "default", limits })).toMatchObject({ status: 400 });
  }
  expect((await call("queues.list", null, "GET")).data).toMatchObject({ queues: [{ limits: { concurrency: 2 } }] });
});

test("a job type is paused and goes on", async () => {
  await submit();
  await call("jobs.pauseType", { jobType: "ml_workflow" });
  expect((await claim(db.sql, { workerId: "w", limit: 1, leaseMs: 1_000 })).jobs).toEqual([]);
  await call("jobs.resumeType", { jobType: "ml_workflow" });
  expect((await claim(db.sql, { workerId: "w", limit: 1, leaseMs: 1_000 })).jobs).toHaveLength(1);
});

test("a priority is changed while the job is queued, and must be an int32", async () => {
  const jobId = await submit();
  expect((await call("jobs.changePriority", { jobId, priority: 5 })).status).toBe(200);
  for (const priority of [2 ** 31, 0.5, "high"]) {
    expect(await call("jobs.changePriority", { jobId, priority })).toMatchObject({
      status: 400,
      message: expect.stringContaining("priority") as string,
    });
  }
  expect(await statusOf(jobId)).toMatchObject({ priority: 5 });
  await take();
  expect(await call("jobs.changePriority", { jobId, priority: 6 })).toMatchObject({ status: 409 });
});

test("schedules are made, changed by name, run by hand, paused and deleted", async () => {
  const schedule = {
    name: "nightly",
    cron: "30 2 * * *",
    timeZone: "Europe/Berlin",
    jobType: "greet",
    payload: { a: 1 },
  };
  const made = (await call("schedules.save", schedule)).data as { scheduleId: string; nextRunAt: string };
  expect(Date.parse(made.nextRunAt)).toBeGreaterThan(Date.now());
  const changed = (await call("schedules.save", { ...schedule, cron: "0 3 * * *" })).data as { scheduleId: string };
  expect(changed.scheduleId).toBe(made.scheduleId);
  const { scheduleId } = made;
  const { data } = await call("schedules.runNow", { scheduleId });
  expect(await statusOf((data as { jobId: string }).jobId)).toMatchObject({ jobType: "greet", status: "queued" });
  expect((await call("schedules.pause", { scheduleId })).data).toMatchObject({ paused: true });
  expect((await call("schedules.resume", { scheduleId })).data).toMatchObject({ paused: false });
  expect((await call("schedules.delete", { scheduleId })).status).toBe(200);
  expect(await call("schedules.delete", { scheduleId })).toMatchObject({ status: 404 });
  expect((await call("schedules.list", null, "GET")).data).toEqual({ schedules: [] });
});

test.each([
  [{ cron: "every day" }, "cron"],
  [{ cron: "61 * * * *" }, "cron"],
  [{ cron: "0 0 30 2 *" }, "cron"],
  [{ timeZone: "Mars/Olympus" }, "timeZone"],
  [{ jobType: "not a type" }, "jobType"],
  [{ name: "" }, "name"],
  [{ missedRuns: "always" }, "missedRuns"],
  [{ jobType: "export_thread", payload: {} }, "threadId"],
  [{ payload: { nul: "\u0000" } }, "payload"],
  [{ jobType: "gret" }, 'jobType "gret" is run by no worker: use greet'],
])("a schedule with %j is refused by name and not stored", async (wrong, field) => {
  const offers = [{ jobType: "greet", description: null, error: null }];
  const worker = { workerId: "w", host: "h", pid: 1, version: "0", concurrency: 1, running: 0, heartbeatMs: 10_000 };
  await reportWorker(db.sql, { ...worker, state: "active", offers });
  const schedule = { name: "n", cron: "0 0 * * *", jobType: "greet", payload: {}, ...wrong };
  expect(await call("schedules.save", schedule)).toMatchObject({
    status: 400,
    message: expect.stringContaining(field) as string,
  });
  expect((await call("schedules.list", null, "GET")).data).toEqual({ schedules: [] });
});

test("a thread is exported by a job of its own", async () => {
  await submit();
  const { threadId } = (await statusOf((await take()).jobId)) as { threadId: string };
  const { data } = await call("threads.export", { threadId, format: "json" });
  expect(await statusOf((data as { jobId: string }).jobId)).toMatchObject({ jobType: "export_thread" });
  expect(await call("threads.export", { threadId, format: "pdf" })).toMatchObject({
    status: 400,
    message: expect.stringContaining("format") as string,
  });
});

test("jobs are counted by state, once for all who ask at the same time", async () => {
  await submit();
  await submit();
  await take();
  const asked = await Promise.all(Array.from({ length: 10 }, async () => call("jobs.counts", null, "GET")));
  for (const { data } of asked)
    expect(data).toEqual({ queued: 1, running: 1, waiting: 0, completed: 0, failed: 0, cancelled: 0 });
  await call("jobs.pauseType", { jobType: "ml_workflow" });
  await expect.poll(async () => (await call("jobs.counts", null, "GET")).data).toMatchObject({ queued: 1 });
  await submit();
  await expect.poll(async () => (await call("jobs.counts", null, "GET")).data).toMatchObject({ queued: 2 });
});
