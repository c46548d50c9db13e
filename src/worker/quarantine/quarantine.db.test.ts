import { cancelTurn } from "#conversation";
import { enqueue } from "#queue/enqueue";
import { getJob } from "#queue/read";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Database } from "#db";
import { createTestDatabase } from "../../../test/database.ts";
import { startWorker } from "../../../test/start-worker.ts";
import type { TestWorker, TestWorkerOptions } from "../../../test/start-worker.ts";
import { suspectHandlers } from "../../../test/suspects.ts";
import { takeLeases } from "../../../test/take-leases.ts";

// The tests start whole processes.
vi.setConfig({ testTimeout: 120_000 });

const ownerId = "local";
const quarantine = {
  module: new URL("../../../test/quarantine-child.ts", import.meta.url),
  execArgv: ["--conditions=source", "--import=tsx"],
};
let db: Database;
let url: string;
let drop: () => Promise<void>;
let running: TestWorker[] = [];

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  db = new Database({ url });
  await db.sql`create table suspect_runs (job_id uuid, attempt int, pid int)`;
  vi.stubEnv("SUSPECTS_DATABASE_URL", url);
});
beforeEach(async () => {
  await db.sql`truncate jobs, decision_sets, queues, workers, suspect_runs cascade`;
});
afterEach(async () => {
  await Promise.all(running.map(async (worker) => worker.stop(0)));
  running = [];
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await db.close();
  await drop();
});

const start = async (options: Partial<TestWorkerOptions> = {}) => {
  const soon = { heartbeatMs: 200, poll: { minMs: 50, maxMs: 200 } };
  const worker = await startWorker({ db, url, handlers: suspectHandlers(db), quarantine, ...soon, ...options });
  running.push(worker);
  return worker;
};
const add = async (does: string, crashCount: number) => {
  const { jobId } = await db.transaction(async (tx) => {
    const job = await enqueue(tx, { ownerId, jobType: "suspect", payload: { does } });
    await tx`update jobs set crash_count = ${crashCount} where id = ${job.jobId}`;
    return job;
  });
  return jobId;
};
const read = async (jobId: string) => getJob(db.sql, { ownerId, jobId });
const reaches = async (jobId: string, status: string) => {
  await expect.poll(async () => (await read(jobId)).status, { timeout: 60_000, interval: 20 }).toBe(status);
  return read(jobId);
};
/** Waits for the start of the job's handler and returns its process id. */
const begun = async (jobId: string) => {
  const rows = async () => db.sql<{ pid: number }[]>`select pid from suspect_runs where job_id = ${jobId}`;
  await expect.poll(async () => (await rows()).length, { timeout: 60_000 }).toBe(1);
  return (await rows())[0]?.pid ?? 0;
};
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("a job with two crashes runs in a child process, a job with one crash in the worker", async () => {
  const [once, twice] = [await add("say where it runs", 1), await add("say where it runs", 2)];
  await start();
  expect((await reaches(once, "completed")).result).toEqual({ pid: process.pid });
  const { result, attempts, workerId } = await reaches(twice, "completed");
  expect(result).not.toEqual({ pid: process.pid });
  expect(attempts).toMatchObject([{ outcome: "completed", workerId: running[0]?.workerId }]);
  expect(workerId).toBeNull();
});

test.each([
  ["exit", "exit code 7"],
  ["kill itself", "signal SIGKILL"],
])(
  "a job that makes its process %s is proven guilty and becomes a dead letter; its neighbour completes",
  async (does, how) => {
    const neighbour = await add("stop when drained", 0);
    const worker = await start();
    await begun(neighbour);
    const culprit = await add(does, 2);
    const job = await reaches(culprit, "failed");
    expect(job).toMatchObject({ crashCount: 3, retryCount: 0 });
    expect(job.error).toBe(`The process died while only this job ran (${how})`);
    expect(job.attempts).toMatchObject([
      { outcome: "crashed", errorName: "ProcessDiedError" },
      { outcome: "crashed", errorMessage: job.error },
    ]);
    expect(await read(neighbour)).toMatchObject({ status: "running", attempt: 1 });
    running = [];
    await worker.stop();
    expect(await read(neighbour)).toMatchObject({ status: "completed", attempt: 1, crashCount: 0 });
  },
);

test("a job that runs alone can be cancelled, even when its process is blocked", async () => {
  const [willing, deaf] = [await add("wait", 2), await add("wait deaf", 2)];
  const worker = await start();
  for (const jobId of [willing, deaf]) {
    const pid = await begun(jobId);
    await db.transaction(async (tx) => cancelTurn(tx, { ownerId, jobId }));
    expect(await reaches(jobId, "cancelled")).toMatchObject({ crashCount: 2, attempts: [{ outcome: "cancelled" }] });
    await expect.poll(() => isAlive(pid)).toBe(false);
  }
  expect(worker.lines.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
});

test("a worker that shuts down drains a job that runs alone, and releases it after the grace period", async () => {
  const [drains, waits] = [await add("stop when drained", 2), await add("wait", 2)];
  const worker = await start();
  const pids = [await begun(drains), await begun(waits)];
  running = [];
  await worker.stop(2_000);
  expect(await read(drains)).toMatchObject({ status: "completed" });
  expect(await read(waits)).toMatchObject({ status: "queued", crashCount: 2, attempts: [{ outcome: "released" }] });
  await expect.poll(() => pids.filter(isAlive)).toEqual([]);
});

test("a reaped job is stopped in its child process, which writes nothing more", async () => {
  const jobId = await add("wait", 2);
  await start();
  const pid = await begun(jobId);
  await takeLeases(db);
  await expect.poll(() => isAlive(pid), { timeout: 30_000 }).toBe(false);
  expect((await read(jobId)).attempts[0]).toMatchObject({ outcome: "lease_expired" });
});

test("a job that blocks its process beyond its timeout times out and uses a retry", async () => {
  const jobId = await add("wait deaf", 2);
  await db.sql`update jobs set timeout_ms = 500, max_retries = 0 where id = ${jobId}`;
  await start({ leaseMs: 1_000 });
  expect(await reaches(jobId, "failed")).toMatchObject({
    crashCount: 2,
    error: "The run took longer than its timeout of 500 ms",
    attempts: [{ outcome: "timed_out" }],
  });
});

test("at most four jobs run alone at a time; the others are released without a crash or a retry", async () => {
  const jobs = await Promise.all(Array.from({ length: 7 }, async () => add("say where it runs", 2)));
  await start({ concurrency: 7 });
  for (const jobId of jobs) expect(await reaches(jobId, "completed")).toMatchObject({ crashCount: 2, retryCount: 0 });
  const released = await db.sql<{ error_message: string }[]>`
    select error_message from job_attempts where outcome = 'released'`;
  expect(released[0]?.error_message).toContain("waits to run alone, while this worker runs 4 others alone");
});

test("a job whose child process exits before the handler runs is released and keeps its crash count", async () => {
  const jobId = await add("say where it runs", 2);
  const module = new URL("../../../test/no-such-module.ts", import.meta.url);
  await start({ quarantine: { ...quarantine, module } });
  await expect
    .poll(async () => (await read(jobId)).attempts[0], { timeout: 60_000 })
    .toMatchObject({ outcome: "released", errorMessage: "The process for this job did not start (exit code 1)" });
  expect((await read(jobId)).crashCount).toBe(2);
});

test("a job whose child process cannot be forked is released, and the worker runs on", async () => {
  const jobId = await add("say where it runs", 2);
  // No program accepts such an argument: fork fails, as it does without memory.
  await start({ quarantine: { ...quarantine, execArgv: ["\0"] } });
  await expect
    .poll(async () => (await read(jobId)).attempts[0], { timeout: 60_000 })
    .toMatchObject({
      outcome: "released",
      errorMessage: expect.stringContaining("The process for this job did not start") as string,
    });
  expect((await reaches(await add("say where it runs", 0), "completed")).result).toEqual({ pid: process.pid });
});
