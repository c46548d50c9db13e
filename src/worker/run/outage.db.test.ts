import { submitTurn, getTurn } from "#conversation";
import { enqueue } from "#queue/enqueue";
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { Database, DatabaseUnavailableError } from "#db";
import { wrapGraph } from "#graph";
import { startCuttableProxy } from "../../../test/cuttable-proxy.ts";
import type { CuttableProxy } from "../../../test/cuttable-proxy.ts";
import { createTestDatabase } from "../../../test/database.ts";
import { deferred } from "../../../test/deferred.ts";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { startWorker } from "../../../test/start-worker.ts";
import type { TestWorker, TestWorkerOptions } from "../../../test/start-worker.ts";
import { defineJob } from "../define-job.ts";
import { graphJob } from "../jobs/graph-job.ts";

/* An outage of the database costs a job nothing. The workers connect through a proxy, the tests directly. */
const ownerId = "local";
let db: Database;
let away: Database;
let proxy: CuttableProxy;
let drop: () => Promise<void>;
let running: TestWorker[] = [];

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  db = new Database({ url: created.url });
  proxy = await startCuttableProxy(created.url);
  away = new Database({ url: proxy.url, deadlineMs: 1_000 });
});
beforeEach(async () => {
  await db.sql`truncate jobs, decision_sets, queues, workers, langgraph.checkpoints, langgraph.checkpoint_blobs, langgraph.checkpoint_writes cascade`;
});
afterEach(async () => {
  await proxy.restore();
  await Promise.all(running.map(async (worker) => worker.stop(0)));
  running = [];
});
afterAll(async () => {
  await away.close();
  await proxy.close();
  await db.close();
  await drop();
});

const start = async (handlers: TestWorkerOptions["handlers"], options: Partial<TestWorkerOptions> = {}) => {
  const soon = { heartbeatMs: 200, poll: { minMs: 20, maxMs: 100 } };
  const worker = await startWorker({ db: away, url: proxy.url, handlers, ...soon, ...options });
  running.push(worker);
  return worker;
};
const read = async (jobId: string) => getTurn(db.sql, { ownerId, jobId });
const reaches = async (jobId: string, status: string) => {
  await expect.poll(async () => (await read(jobId)).status, { timeout: 25_000, interval: 20 }).toBe(status);
  return read(jobId);
};
const hasExpired = async (jobId: string) => {
  const rows = await db.sql`select 1 from jobs where id = ${jobId} and lease_expires_at < clock_timestamp()`;
  return rows.length > 0;
};

/** A graph of two nodes; the database goes away while the first runs. Counts how often each node ran. */
function cutGraph() {
  const runs = { first: 0, second: 0 };
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("first", async () => {
      runs.first += 1;
      await proxy.cut();
      return { messages: [] };
    })
    .addNode("second", () => {
      runs.second += 1;
      return { messages: [new AIMessage("done")] };
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .addEdge("second", END);
  const options = { db: away, price: null };
  return { runs, handler: graphJob(wrapGraph("cut", graph), options) };
}
const submitCut = async () => {
  await offerGraphs(db.sql, ["cut"]);
  return db.transaction(async (tx) => {
    const turn = await submitTurn(tx, { ownerId, content: "Go", graph: "cut", maxRetries: 0 });
    await tx`update jobs set max_crashes = 0 where id = ${turn.jobId}`;
    return turn;
  });
};

test("a checkpoint is sent again after an outage: no retry is used and no node runs twice", async () => {
  const { runs, handler } = cutGraph();
  const { jobId } = await submitCut();
  const worker = await start([handler]);
  await expect.poll(() => worker.lines.join(""), { timeout: 20_000 }).toContain("cannot be reached");
  expect((await read(jobId)).status).toBe("running");
  await proxy.restore();
  expect(await reaches(jobId, "completed")).toMatchObject({ reply: "done", attempt: 1, retryCount: 0, crashCount: 0 });
  expect(runs).toEqual({ first: 1, second: 1 });
});

test("an outage longer than the lease costs no retry either, whichever worker reconnects first", async () => {
  const { runs, handler } = cutGraph();
  const { jobId } = await submitCut();
  const worker = await start([handler], { leaseMs: 1_000 });
  await start([], { leaseMs: 1_000 });
  await expect.poll(async () => hasExpired(jobId), { timeout: 20_000, interval: 20 }).toBe(true);
  await proxy.restore();
  expect(await reaches(jobId, "completed")).toMatchObject({ reply: "done", attempt: 1, retryCount: 0, crashCount: 0 });
  expect(runs).toEqual({ first: 1, second: 1 });
  const said = () => worker.lines.join("");
  await expect.poll(said, { timeout: 10_000 }).toContain("heartbeats reach the database again");
  expect(said().match(/"level":50,[^\n]*heartbeat failed/g)).toHaveLength(1);
});

test("an outage does not count against the job's timeout, however short", async () => {
  const { runs, handler } = cutGraph();
  const { jobId } = await submitCut();
  await db.sql`update jobs set timeout_ms = 500 where id = ${jobId}`;
  await start([handler], { leaseMs: 1_000 });
  const isOverdue = async () =>
    (await db.sql`select 1 from jobs where id = ${jobId} and claimed_at < clock_timestamp() - interval '3 seconds'`)
      .length;
  await expect.poll(isOverdue, { timeout: 20_000 }).toBe(1);
  await proxy.restore();
  expect(await reaches(jobId, "completed")).toMatchObject({ reply: "done", attempt: 1, retryCount: 0, crashCount: 0 });
  expect(runs).toEqual({ first: 1, second: 1 });
});

test("a write before the first heartbeat after an outage renews the lease", async () => {
  const handler = defineJob({
    type: "early",
    payload: z.object({}),
    async run({ job, emit }) {
      const expire = async () =>
        db.sql`update jobs set lease_expires_at = clock_timestamp() - interval '1 second' where id = ${job.jobId}`;
      await expire();
      emit("note", "written while the lease has expired");
      await expect.poll(async () => hasExpired(job.jobId), { timeout: 10_000 }).toBe(false);
      await expire();
      return { result: "kept" };
    },
  });
  const { jobId } = await db.transaction(async (tx) => enqueue(tx, { ownerId, jobType: "early", payload: {} }));
  await start([handler], { heartbeatMs: 10_000 });
  const job = await reaches(jobId, "completed");
  expect(job).toMatchObject({ result: "kept", attempt: 1, crashCount: 0 });
  expect(job.events.map((event) => event.type)).toEqual(["started", "note", "completed"]);
});

test("the job of a handler that throws because the database is away is released and uses no retry", async () => {
  const handler = defineJob({
    type: "gives up",
    payload: z.object({}),
    async run({ job }) {
      if (job.attempt === 1) throw new DatabaseUnavailableError("The database cannot be reached (ECONNREFUSED)");
      return { result: job.attempt };
    },
  });
  const { jobId } = await db.transaction(async (tx) =>
    enqueue(tx, { ownerId, jobType: "gives up", payload: {}, maxRetries: 0 }),
  );
  await start([handler]);
  expect(await reaches(jobId, "completed")).toMatchObject({
    result: 2,
    retryCount: 0,
    crashCount: 0,
    attempts: [
      { outcome: "released", errorMessage: expect.stringMatching(/^The database was away: /) as string },
      { outcome: "completed" },
    ],
  });
});

test("a handler whose query always times out uses its retries and fails", async () => {
  const handler = defineJob({
    type: "slow",
    payload: z.object({}),
    run: async ({ persist }) => {
      await persist(() => away.transaction(async (tx) => tx`select pg_sleep(30)`, 1_000));
    },
  });
  const { jobId } = await db.transaction(async (tx) =>
    enqueue(tx, { ownerId, jobType: "slow", payload: {}, maxRetries: 1 }),
  );
  await start([handler], { leaseMs: 1_000 });
  expect(await reaches(jobId, "failed")).toMatchObject({
    retryCount: 1,
    attempts: [{ outcome: "failed", errorName: "QueryTimeoutError" }, { outcome: "failed" }],
  });
});

test("effects that always time out fail the attempt, which uses its retries", async () => {
  const handler = defineJob({
    type: "slow effects",
    payload: z.object({}),
    run: async () => ({ effects: async (tx) => void (await tx`select pg_sleep(30)`) }),
  });
  const { jobId } = await db.transaction(async (tx) =>
    enqueue(tx, { ownerId, jobType: "slow effects", payload: {}, maxRetries: 0 }),
  );
  await start([handler], { leaseMs: 1_000 });
  expect(await reaches(jobId, "failed")).toMatchObject({
    crashCount: 0,
    attempts: [{ outcome: "failed", errorName: "QueryTimeoutError" }],
  });
});

test("a worker that shuts down while the database is away stops one lease after its grace period", async () => {
  const started = deferred();
  const handler = defineJob({
    type: "t",
    payload: z.object({}),
    async run() {
      started.resolve();
      await proxy.cut();
    },
  });
  await db.transaction(async (tx) => enqueue(tx, { ownerId, jobType: "t", payload: {} }));
  const worker = await start([handler], { leaseMs: 1_000 });
  await started.promise;
  await expect.poll(() => worker.lines.join("")).toContain("cannot be reached");
  running = [];
  await worker.stop(0);
  expect(worker.lines.join("")).toContain("the attempt could not be settled; its lease will expire");
});
