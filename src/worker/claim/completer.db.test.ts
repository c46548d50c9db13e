import { DatabaseUnavailableError } from "#queue";
import { enqueue } from "#queue/enqueue";
import { getJob } from "#queue/read";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { Database } from "#db";
import { AttemptSignals } from "../../../test/attempt-signals.ts";
import { createTestDatabase } from "../../../test/database.ts";
import { deferred } from "../../../test/deferred.ts";
import { startWorker } from "../../../test/start-worker.ts";
import type { TestWorker, TestWorkerOptions } from "../../../test/start-worker.ts";
import { defineJob } from "../define-job.ts";
import { Executor } from "../executor.ts";
import type { JobDefinition } from "../define-job.ts";

let db: Database;
let url: string;
let drop: () => Promise<void>;
let worker: TestWorker | undefined;
let signals: AttemptSignals;
const ownerId = "local";

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  db = new Database({ url });
});
beforeEach(async () => {
  signals = new AttemptSignals();
  await db.sql`truncate jobs, queues, workers cascade`;
});
const stop = async () => {
  await worker?.stop(0);
  worker = undefined;
};
afterEach(stop);
afterAll(async () => {
  await db.close();
  await drop();
});

const run = async (body: JobDefinition<object>["run"], options: Partial<TestWorkerOptions>) => {
  const handlers = [defineJob({ type: "t", payload: z.looseObject({}), run: body })];
  worker = await startWorker({ db, url, handlers, concurrency: 1, signals, ...options });
  return worker;
};
const addMany = async (count: number) => {
  const ids: string[] = [];
  for (let job = 0; job < count; job += 1)
    ids.push((await db.call(async (sql) => enqueue(sql, { ownerId, jobType: "t", payload: {} }))).jobId);
  return ids;
};
const completed = async (ids: readonly string[]) => {
  for (const jobId of ids) await signals.reached(jobId, "completed");
  expect(await db.sql`select from jobs where status = 'completed'`).toHaveLength(ids.length);
};

/** Counts calls, delays answers by `delays`, and loses the answers for which `loses` returns true. */
class LossyDatabase extends Database {
  calls = 0;
  delays: (answer: unknown) => Promise<void> = () => Promise.resolve();
  loses: (answer: unknown) => boolean = () => false;
  override withOwnConnection(): Database {
    return this;
  }
  override async call<T>(work: (sql: Database["sql"]) => Promise<T>): Promise<T> {
    this.calls += 1;
    const answer = await super.call(work);
    await this.delays(answer);
    if (this.loses(answer)) throw new DatabaseUnavailableError("the answer was lost");
    return answer;
  }
}
/** True for the answer of a statement that completes and claims. */
const isOfBoth = (answer: unknown) => typeof answer === "object" && answer !== null && "left" in answer;

test("a worker with one slot completes a job and claims the next in one statement", async () => {
  const counted = new LossyDatabase({ url, avoidTableScans: true });
  const ids = await addMany(20);
  const done: string[] = [];
  await run(async ({ job }) => ({ result: done.push(job.jobId) }), { db: counted });
  await completed(ids);
  expect(done).toHaveLength(20);
  // One statement for each job, and a few for the start and for maintenance.
  expect(counted.calls).toBeLessThan(32);
  await stop();
  await counted.close();
});

test("behind a pooler, whose plans are unknown, a worker claims in a separate statement", async () => {
  const planless = new LossyDatabase({ url, avoidTableScans: true, prepare: false });
  let both = 0;
  planless.loses = (answer) => isOfBoth(answer) && (both += 1) < 0;
  const ids = await addMany(5);
  await run(async () => Promise.resolve({}), { db: planless });
  await completed(ids);
  expect(both).toBe(0);
  await stop();
  await planless.close();
});

test("when the answer to a completion and claim is lost, the job stays completed and the next one runs once", async () => {
  const lossy = new LossyDatabase({ url, avoidTableScans: true });
  let lost = 0;
  lossy.loses = (answer) => isOfBoth(answer) && (lost += 1) === 1;
  const ids = await addMany(8);
  const runs: string[] = [];
  const { lines } = await run(
    async ({ job }) => {
      runs.push(job.jobId);
      return {};
    },
    { db: lossy, poll: { minMs: 20, maxMs: 50 } },
  );
  await completed(ids);
  for (const jobId of ids) expect(await getJob(db.sql, { ownerId, jobId })).toMatchObject({ retryCount: 0 });
  expect(lost).toBeGreaterThan(0);
  expect(runs.toSorted()).toEqual(ids.toSorted());
  expect(lines.filter((line) => line.includes("whose answer was lost"))).toHaveLength(1);
  await stop();
  await lossy.close();
});

test("a job that is claimed with a completion as the grace period ends is released, and does not run", async () => {
  const slow = new LossyDatabase({ url, avoidTableScans: true });
  const sent = deferred();
  const left = deferred();
  slow.delays = async (answer) => {
    if (!isOfBoth(answer)) return;
    sent.resolve();
    await left.promise;
  };
  const [first = "", second = ""] = await addMany(2);
  const runs: string[] = [];
  const { stop: stopWorker } = await run(
    async ({ job }) => {
      runs.push(job.jobId);
      // The second job would keep the worker from its end.
      if (job.jobId === second) await new Promise(() => undefined);
    },
    { db: slow },
  );
  await sent.promise;
  // The answer arrives once the grace period is over. An abort of the first run would be too early a sign: its heartbeat
  // finds the job completed.
  vi.spyOn(Executor.prototype, "releaseRuns").mockImplementationOnce(() => left.resolve());
  await stopWorker(0);
  worker = undefined;
  await slow.close();
  expect(runs).toEqual([first]);
  expect(await getJob(db.sql, { ownerId, jobId: first })).toMatchObject({ status: "completed" });
  expect(await getJob(db.sql, { ownerId, jobId: second })).toMatchObject({
    status: "queued",
    retryCount: 0,
    attempts: [{ outcome: "released" }],
  });
});
