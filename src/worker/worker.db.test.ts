import { cancelTurn } from "#conversation";
import type { NewJob } from "#queue";
import { claim } from "#queue/claim";
import { enqueue, enqueueMany } from "#queue/enqueue";
import { listWorkers } from "#queue/fleet";
import { createQueue, setQueueLimits } from "#queue/operate";
import { getJob } from "#queue/read";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { Database } from "#db";
import { AttemptSignals } from "../../test/attempt-signals.ts";
import { startCuttableProxy } from "../../test/cuttable-proxy.ts";
import { createTestDatabase } from "../../test/database.ts";
import { deferred } from "../../test/deferred.ts";
import { startWorker } from "../../test/start-worker.ts";
import type { TestWorker, TestWorkerOptions } from "../../test/start-worker.ts";
import { defineJob } from "./define-job.ts";
import type { JobDefinition } from "./define-job.ts";
import { CancelledError } from "./errors.ts";

let db: Database;
let url: string;
let drop: () => Promise<void>;
let running: TestWorker[] = [];
let signals: AttemptSignals;
const ownerId = "local";

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  db = new Database({ url });
});
beforeEach(async () => {
  signals = new AttemptSignals();
  await db.sql`truncate jobs, decision_sets, queues, workers, schedules, limit_keys cascade`;
});
afterEach(async () => {
  await Promise.all(running.map(async (worker) => worker.stop(0)));
  running = [];
});
afterAll(async () => {
  await db.close();
  await drop();
});

const run = async (body: JobDefinition<object>["run"], options: Partial<TestWorkerOptions> = {}) => {
  const handlers = [defineJob({ type: "t", payload: z.looseObject({}), run: body })];
  const worker = await startWorker({ db, url, handlers, signals, ...options });
  running.push(worker);
  return worker;
};
/** Stops a worker before the end of its test. */
const stop = async (worker: TestWorker, graceMs?: number) => {
  running = running.filter((one) => one !== worker);
  await worker.stop(graceMs);
};
const add = async (job: Partial<NewJob> = {}) =>
  (await db.transaction(async (tx) => enqueue(tx, { ownerId, jobType: "t", payload: {}, ...job }))).jobId;
const read = async (jobId: string) => getJob(db.sql, { ownerId, jobId });
/** Waits until a worker runs the job or has ended it, and returns the job. */
const reaches = async (jobId: string, status: "running" | "completed" | "cancelled") => {
  await signals.reached(jobId, status);
  const job = await read(jobId);
  expect(job.status).toBe(status);
  return job;
};

test("a notice wakes an idle worker long before its next poll", async () => {
  await run(async () => ({}), { poll: { minMs: 600_000, maxMs: 600_000 } });
  await reaches(await add(), "completed");
  for (let job = 0; job < 5; job += 1) expect(await reaches(await add(), "completed")).toMatchObject({ attempt: 1 });
});

test("without notices a worker finds new jobs by polling", async () => {
  await run(async () => ({}), { listens: false, poll: { minMs: 20, maxMs: 50 } });
  for (let job = 0; job < 3; job += 1) await reaches(await add(), "completed");
});

test("a delayed job runs when it is due, without a notice", async () => {
  const jobId = await add({ delayMs: 300 });
  await run(async () => ({}), { listens: false, poll: { minMs: 600_000, maxMs: 600_000 } });
  const job = await reaches(jobId, "completed");
  expect(Date.parse(job.startedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(job.runAt));
});

test("a worker never runs more jobs at once than its concurrency, and runs all of them in the end", async () => {
  let now = 0;
  let most = 0;
  const full = deferred();
  const goOn = deferred();
  const jobs = await Promise.all(Array.from({ length: 7 }, async () => add()));
  await run(
    async () => {
      now += 1;
      most = Math.max(most, now);
      if (now === 3) full.resolve();
      await goOn.promise;
      now -= 1;
      return {};
    },
    { concurrency: 3 },
  );
  await full.promise;
  goOn.resolve();
  for (const jobId of jobs) await reaches(jobId, "completed");
  expect(most).toBe(3);
});

test("a stop lets running jobs end, claims nothing more, and leaves the rest queued", async () => {
  const started = deferred();
  const goOn = deferred();
  const first = await add();
  const worker = await run(
    async () => {
      started.resolve();
      await goOn.promise;
      return { result: "whole" };
    },
    { concurrency: 1 },
  );
  await started.promise;
  const second = await add();
  const stopped = stop(worker, 30_000);
  await expect.poll(async () => (await listWorkers(db.sql))[0]?.state).toBe("draining");
  goOn.resolve();
  await stopped;
  expect(await read(first)).toMatchObject({ status: "completed", result: "whole" });
  expect(await read(second)).toMatchObject({ status: "queued", attempt: 0 });
  expect(await listWorkers(db.sql)).toMatchObject([{ workerId: worker.workerId, state: "stopped", alive: false }]);
});

test("a job that outlasts the grace period is released without using a retry, and another worker takes it", async () => {
  const started = deferred();
  const reason = deferred<unknown>();
  const never = deferred();
  const jobId = await add();
  const worker = await run(async ({ signal }) => {
    signal.addEventListener("abort", () => reason.resolve(signal.reason));
    started.resolve();
    await never.promise;
    return {};
  });
  await started.promise;
  await stop(worker, 50);
  expect(await reason.promise).toMatchObject({ name: "ShutdownError" });
  expect(await read(jobId)).toMatchObject({ status: "queued", retryCount: 0, workerId: null, leaseExpiresAt: null });
  const next = await run(async () => ({}));
  expect(await reaches(jobId, "completed")).toMatchObject({
    retryCount: 0,
    attempts: [{ outcome: "released" }, { outcome: "completed", workerId: next.workerId }],
  });
  never.resolve();
});

test("heartbeats keep the lease of a run that takes longer than one lease", async () => {
  const goOn = deferred();
  const jobId = await add();
  await run(
    async () => {
      await goOn.promise;
      return {};
    },
    { leaseMs: 1_000, heartbeatMs: 100, poll: { minMs: 50, maxMs: 100 } },
  );
  const first = (await reaches(jobId, "running")).leaseExpiresAt ?? "";
  await expect
    .poll(async () => Date.parse((await read(jobId)).leaseExpiresAt ?? "") - Date.parse(first), { timeout: 10_000 })
    .toBeGreaterThan(1_500);
  goOn.resolve();
  expect(await reaches(jobId, "completed")).toMatchObject({ attempt: 1, retryCount: 0 });
});

test("a handler that blocks the event loop for longer than its lease does not lose it", async () => {
  const jobId = await add();
  await run(
    async () => {
      const until = performance.now() + 2_500;
      while (performance.now() < until);
    },
    { leaseMs: 1_000, heartbeatMs: 200, poll: { minMs: 50, maxMs: 100 } },
  );
  expect(await reaches(jobId, "completed")).toMatchObject({ attempt: 1, retryCount: 0 });
});

test("a running job is cancelled through its worker, and its signal carries the reason", async () => {
  const jobId = await add();
  const told = deferred<unknown>();
  await run(
    async ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          told.resolve(signal.reason);
          reject(new Error("aborted"));
        });
      }),
    { heartbeatMs: 200 },
  );
  await reaches(jobId, "running");
  expect(await db.transaction(async (tx) => cancelTurn(tx, { ownerId, jobId }))).toBe("running");
  expect(await told.promise).toBeInstanceOf(CancelledError);
  expect(await reaches(jobId, "cancelled")).toMatchObject({ workerId: null, attempts: [{ outcome: "cancelled" }] });
});

test("a job of a vanished worker is reaped by another once its lease has expired, and uses no retry", async () => {
  const jobId = await add();
  await claim(db.sql, { workerId: "gone", limit: 1, leaseMs: 200 });
  await run(async () => ({}), { heartbeatMs: 100, leaseMs: 1_000, poll: { minMs: 50, maxMs: 100 } });
  expect(await reaches(jobId, "completed")).toMatchObject({
    retryCount: 0,
    crashCount: 1,
    attempts: [{ outcome: "lease_expired", workerId: "gone" }, { outcome: "completed" }],
  });
});

test.each(["a", "z"])(
  "a worker serves owners in turn: a flood of %s's does not keep another's job waiting",
  async (flood) => {
    const jobs = await db.transaction(async (tx) =>
      enqueueMany(
        tx,
        [...Array.from({ length: 50 }, () => flood), "m"].map((owner) => ({
          ownerId: owner,
          jobType: "t",
          payload: {},
        })),
      ),
    );
    const order: string[] = [];
    const ended = deferred();
    await run(
      async ({ job }) => {
        order.push(job.ownerId);
        if (order.length === jobs.length) ended.resolve();
      },
      { concurrency: 1 },
    );
    await ended.promise;
    expect(order.indexOf("m")).toBeLessThan(3);
  },
);

test("a queue with a limit goes on as soon as a slot is free, without a notice", async () => {
  await createQueue(db.sql, "one at a time");
  await db.transaction(async (tx) => setQueueLimits(tx, "one at a time", { concurrency: 1 }));
  const jobs = await Promise.all(Array.from({ length: 3 }, async () => add({ queue: "one at a time" })));
  let now = 0;
  let most = 0;
  await run(async () => {
    now += 1;
    most = Math.max(most, now);
    // Long enough for the worker to try another claim, and to find the limit reached.
    await db.sql`select pg_sleep(0.5)`;
    now -= 1;
  });
  for (const jobId of jobs) await reaches(jobId, "completed");
  expect(most).toBe(1);
});

test("a queue with a limit and one without take turns, whichever is flooded", async () => {
  await createQueue(db.sql, "limited");
  await db.transaction(async (tx) => setQueueLimits(tx, "limited", { concurrency: 5 }));
  await db.transaction(async (tx) =>
    enqueueMany(
      tx,
      [...Array.from({ length: 60 }, () => "default"), ...Array.from({ length: 60 }, () => "limited")].map((queue) => ({
        ownerId,
        jobType: "t",
        payload: {},
        queue,
      })),
    ),
  );
  const order: string[] = [];
  const ended = deferred();
  await run(
    async ({ job }) => {
      order.push(job.queue);
      if (order.length === 120) ended.resolve();
    },
    { concurrency: 1 },
  );
  await ended.promise;
  const early = order.slice(0, 40).filter((name) => name === "limited").length;
  expect(early).toBeGreaterThan(10);
  expect(early).toBeLessThan(30);
});

test("a maintenance duty that fails delays no other duty", async () => {
  await db.sql`insert into queues (name, limits) values ('broken', '{"perKey": {"concurrency": "x"}}')`;
  await db.sql`insert into limit_keys (queue, key, admit_at) values ('broken', 'k', now())`;
  await db.sql`
    insert into schedules (id, owner_id, name, cron, time_zone, job_type, payload, next_run_at)
    values (gen_random_uuid(), ${ownerId}, 'gone', '* * * * *', 'Mars/Olympus', 't', '{}', now())`;
  const due = await add({ delayMs: 100 });
  const lost = await add();
  await claim(db.sql, { workerId: "gone", limit: 1, leaseMs: 100 });
  const worker = await run(async () => ({}), { heartbeatMs: 100, poll: { minMs: 20, maxMs: 50 } });
  expect(await reaches(lost, "completed")).toMatchObject({ crashCount: 1 });
  await reaches(due, "completed");
  const said = () => worker.lines.join("");
  await expect.poll(said).toContain("could not admit limited keys");
  await expect.poll(said).toContain("schedule paused");
  // The duty waits before its next try, so that it does not fill the log.
  expect(worker.lines.filter((line) => line.includes("could not admit limited keys"))).toHaveLength(1);
});

test("two workers never run one job twice", async () => {
  const runs = new Map<string, number>();
  const jobs = await Promise.all(Array.from({ length: 40 }, async () => add()));
  const body: JobDefinition<object>["run"] = async ({ job }) => {
    runs.set(job.jobId, (runs.get(job.jobId) ?? 0) + 1);
    return {};
  };
  await Promise.all([run(body), run(body)]);
  for (const jobId of jobs) await reaches(jobId, "completed");
  expect([...runs.values()]).toEqual(jobs.map(() => 1));
});

test("a job outlives an outage of the database: its events and its end are written afterwards, and new jobs run", async () => {
  const proxy = await startCuttableProxy(url);
  const away = new Database({ url: proxy.url, deadlineMs: 1_000 });
  const started = deferred();
  const goOn = deferred();
  let runs = 0;
  const worker = await run(
    async ({ emit }) => {
      runs += 1;
      started.resolve();
      await goOn.promise;
      emit("note", "the last");
      return { result: "kept" };
    },
    { db: away, url: proxy.url, poll: { minMs: 50, maxMs: 200 } },
  );
  const jobId = await add();
  await started.promise;
  await proxy.cut();
  goOn.resolve();
  await expect.poll(() => worker.lines.join(""), { timeout: 10_000 }).toContain("cannot be reached");
  expect((await read(jobId)).status).toBe("running");
  await proxy.restore();
  const job = await reaches(jobId, "completed");
  expect(job).toMatchObject({ attempt: 1, retryCount: 0, result: "kept" });
  expect(job.events.map((event) => event.type)).toEqual(["started", "note", "completed"]);
  await reaches(await add(), "completed");
  expect(runs).toBe(2);
  await stop(worker);
  await away.close();
  await proxy.close();
});

test("a worker that starts without its database runs jobs once the database is there", async () => {
  const proxy = await startCuttableProxy(url);
  await proxy.cut();
  const away = new Database({ url: proxy.url, deadlineMs: 1_000 });
  const soon = { poll: { minMs: 50, maxMs: 200 }, heartbeatMs: 200 };
  const worker = await run(async () => ({}), { db: away, url: proxy.url, ...soon });
  const jobId = await add();
  await proxy.restore();
  await reaches(jobId, "completed");
  await expect
    .poll(async () => (await listWorkers(db.sql)).map((one) => one.workerId), { timeout: 10_000 })
    .toEqual([worker.workerId]);
  await stop(worker);
  await away.close();
  await proxy.close();
});

test("every log line of a job carries the job, its thread, its attempt and the worker, each once", async () => {
  const jobId = await add({ threadId: "018f0000-0000-7000-8000-000000000001" });
  const worker = await run(async ({ log }) => {
    log.info("from the handler");
    return {};
  });
  await reaches(jobId, "completed");
  await expect.poll(() => worker.lines.join("")).toContain("job completed");
  for (const line of worker.lines) expect(line.split('"workerId":').length).toBeLessThanOrEqual(2);
  const lines = worker.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const ofJob = lines.filter((line) => line["jobId"] === jobId);
  expect(ofJob.map((line) => line["msg"])).toEqual(["job started", "from the handler", "job completed"]);
  for (const line of ofJob) {
    expect(line).toMatchObject({
      threadId: "018f0000-0000-7000-8000-000000000001",
      attempt: 1,
      workerId: worker.workerId,
      jobType: "t",
    });
  }
});
