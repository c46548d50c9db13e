import { reportWorker } from "#queue/fleet";
import { fail } from "#queue/settle";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openApp } from "../../../test/open-app.ts";

let api: Awaited<ReturnType<typeof openApp>>;
beforeAll(async () => {
  api = await openApp();
});
beforeEach(async () => api.queue.clear());
afterAll(async () => api.close());

const submit = async (content = "Predict churn") => {
  const { data } = await api.mutate("chat.submit", { content });
  return (data as { jobId: string }).jobId;
};
const failOne = async () => {
  const job = await api.queue.takeOne();
  const error = { name: "Error", message: "the model is unavailable", stack: null };
  await api.queue.db.transaction(async (tx) =>
    fail(tx, job, { error, retry: { baseMs: 0, capMs: 0 }, permanent: true }),
  );
};
const statusOf = async (jobId: string) => (await api.query("jobs.status", { jobId })).data;

test("a queued job is cancelled at once, a second cancel changes nothing, and a retry queues the job again", async () => {
  const jobId = await submit();
  expect((await api.mutate("jobs.cancel", { jobId })).data).toEqual({ jobId, status: "cancelled" });
  expect((await api.mutate("jobs.cancel", { jobId })).data).toEqual({ jobId, status: "cancelled" });
  expect((await api.mutate("jobs.retry", { jobId })).data).toEqual({ jobId });
  expect(await statusOf(jobId)).toMatchObject({ status: "queued" });
  const job = await api.queue.takeOne();
  expect((await api.mutate("jobs.cancel", { jobId })).data).toEqual({ jobId, status: "running" });
  await api.queue.finish(job);
  expect(await api.mutate("jobs.cancel", { jobId })).toMatchObject({
    status: 409,
    message: expect.stringContaining("completed") as string,
  });
  expect(await api.mutate("jobs.retry", { jobId })).toMatchObject({ status: 409 });
});

test("an edited payload must fit the job type", async () => {
  const jobId = await submit();
  await failOne();
  const bad = await api.mutate("jobs.retry", { jobId, payload: { content: "" } });
  expect(bad).toMatchObject({ status: 400, message: expect.stringContaining("payload: content") as string });
  expect(await statusOf(jobId)).toMatchObject({ status: "failed" });
  const { data } = await api.query("jobs.get", { jobId });
  const { payload } = data as { payload: object };
  expect((await api.mutate("jobs.retry", { jobId, payload: { ...payload, content: "Predict returns" } })).status).toBe(
    200,
  );
  expect((await api.query("jobs.get", { jobId })).data).toMatchObject({
    status: "queued",
    payload: { content: "Predict returns" },
    attempts: [{ errorMessage: "the model is unavailable" }],
  });
});

test("dead letters are filtered by error, retried in bulk, and discarded", async () => {
  const [first, second] = [await submit("one"), await submit("two")];
  await failOne();
  await failOne();
  const list = async (filter: object) =>
    ((await api.query("jobs.deadLetters", filter)).data as { jobs: { jobId: string }[] }).jobs.map((job) => job.jobId);
  expect(await list({})).toEqual([second, first]);
  expect(await list({ error: "MODEL" })).toHaveLength(2);
  expect(await list({ error: "no such" })).toEqual([]);
  expect((await api.mutate("jobs.discard", { jobIds: [first] })).data).toEqual({ done: 1, refused: [] });
  expect(await list({})).toEqual([second]);
  const many = await api.mutate("jobs.retryMany", { jobIds: [second, "00000000-0000-7000-8000-000000000000"] });
  expect(many.data).toMatchObject({ done: 1, refused: [{ reason: "Job not found" }] });
  expect(await list({})).toEqual([]);
});

test("queues are listed, paused, resumed and limited; unknown queues and invalid limits are refused", async () => {
  await submit();
  expect((await api.mutate("queues.pause", { queue: "default" })).data).toEqual({ queue: "default", paused: true });
  expect(await api.queue.take()).toEqual([]);
  expect((await api.query("queues.list")).data).toMatchObject({
    queues: [{ queue: "default", paused: true, ready: 1 }],
  });
  expect((await api.mutate("queues.resume", { queue: "default" })).status).toBe(200);
  expect(await api.mutate("queues.pause", { queue: "nowhere" })).toMatchObject({ status: 404 });
  expect((await api.mutate("queues.setLimits", { queue: "default", limits: { concurrency: 2 } })).status).toBe(200);
  for (const limits of [
    { concurrency: 0 },
    { concurrency: -1 },
    { concurrency: 1.5 },
    { perKey: { rate: { limit: 1, perMs: 0 } } },
    { speed: 1 },
  ]) {
    expect(await api.mutate("queues.setLimits", { queue: "default", limits })).toMatchObject({ status: 400 });
  }
  expect((await api.query("queues.list")).data).toMatchObject({ queues: [{ limits: { concurrency: 2 } }] });
});

test("a job type is paused and resumed", async () => {
  await submit();
  await api.mutate("jobs.pauseType", { jobType: "ml_workflow" });
  expect(await api.queue.take()).toEqual([]);
  await api.mutate("jobs.resumeType", { jobType: "ml_workflow" });
  expect(await api.queue.take()).toHaveLength(1);
});

test("the priority of a queued job can change, and must be an int32", async () => {
  const jobId = await submit();
  expect((await api.mutate("jobs.changePriority", { jobId, priority: 5 })).status).toBe(200);
  for (const priority of [2 ** 31, 0.5, "high"]) {
    expect(await api.mutate("jobs.changePriority", { jobId, priority })).toMatchObject({
      status: 400,
      message: expect.stringContaining("priority") as string,
    });
  }
  expect(await statusOf(jobId)).toMatchObject({ priority: 5 });
  await api.queue.takeOne();
  expect(await api.mutate("jobs.changePriority", { jobId, priority: 6 })).toMatchObject({ status: 409 });
});

test("schedules are created, replaced by name, run now, paused, resumed and deleted", async () => {
  const schedule = {
    name: "nightly",
    cron: "30 2 * * *",
    timeZone: "Europe/Berlin",
    jobType: "greet",
    payload: { a: 1 },
  };
  const made = (await api.mutate("schedules.save", schedule)).data as { scheduleId: string; nextRunAt: string };
  expect(Date.parse(made.nextRunAt)).toBeGreaterThan(Date.now());
  const changed = (await api.mutate("schedules.save", { ...schedule, cron: "0 3 * * *" })).data as {
    scheduleId: string;
  };
  expect(changed.scheduleId).toBe(made.scheduleId);
  const { scheduleId } = made;
  const { data } = await api.mutate("schedules.runNow", { scheduleId });
  expect(await statusOf((data as { jobId: string }).jobId)).toMatchObject({ jobType: "greet", status: "queued" });
  expect((await api.mutate("schedules.pause", { scheduleId })).data).toMatchObject({ paused: true });
  expect((await api.mutate("schedules.resume", { scheduleId })).data).toMatchObject({ paused: false });
  expect((await api.mutate("schedules.delete", { scheduleId })).status).toBe(200);
  expect(await api.mutate("schedules.delete", { scheduleId })).toMatchObject({ status: 404 });
  expect((await api.query("schedules.list")).data).toEqual({ schedules: [] });
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
])("a schedule with %j is refused, the answer names the field, and nothing is stored", async (wrong, field) => {
  const offers = [{ jobType: "greet", description: null, error: null }];
  const worker = { workerId: "w", host: "h", pid: 1, version: "0", concurrency: 1, running: 0, heartbeatMs: 10_000 };
  await reportWorker(api.queue.db.sql, { ...worker, state: "active", offers });
  const schedule = { name: "n", cron: "0 0 * * *", jobType: "greet", payload: {}, ...wrong };
  expect(await api.mutate("schedules.save", schedule)).toMatchObject({
    status: 400,
    message: expect.stringContaining(field) as string,
  });
  expect((await api.query("schedules.list")).data).toEqual({ schedules: [] });
});

test("threads.export enqueues a job", async () => {
  await submit();
  const { threadId } = (await statusOf((await api.queue.takeOne()).jobId)) as { threadId: string };
  const { data } = await api.mutate("threads.export", { threadId, format: "json" });
  expect(await statusOf((data as { jobId: string }).jobId)).toMatchObject({ jobType: "export_thread" });
  expect(await api.mutate("threads.export", { threadId, format: "pdf" })).toMatchObject({
    status: 400,
    message: expect.stringContaining("format") as string,
  });
});

test("jobs are counted by state, and concurrent callers get the same counts", async () => {
  await submit();
  await submit();
  await api.queue.takeOne();
  const asked = await Promise.all(Array.from({ length: 10 }, async () => api.query("jobs.counts")));
  for (const { data } of asked)
    expect(data).toEqual({ queued: 1, running: 1, waiting: 0, completed: 0, failed: 0, cancelled: 0 });
  await api.mutate("jobs.pauseType", { jobType: "ml_workflow" });
  await expect.poll(async () => (await api.query("jobs.counts")).data).toMatchObject({ queued: 1 });
  await submit();
  await expect.poll(async () => (await api.query("jobs.counts")).data).toMatchObject({ queued: 2 });
});
