import { getThread, submitTurn, getTurnStatus, getTurn } from "#conversation";
import { InvalidJobError } from "#queue";
import type { NewJob } from "#queue";
import { enqueue } from "#queue/enqueue";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { pruneCheckpoints } from "#checkpoint";
import { Database } from "#db";
import { createTestDatabase } from "../../test/database.ts";
import { pino } from "pino";
import { defineJob, drain, exportThread, PermanentError, RetryAfterError, runInline, snooze } from "./index.ts";
import type { JobHandler } from "./index.ts";
import { QueueMaintainer } from "./maintain/queue-maintainer.ts";
import { mlWorkflow } from "./jobs/ml-workflow.ts";

let db: Database;
let drop: () => Promise<void>;
const ownerId = "local";

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  db = new Database({ url: created.url });
});
beforeEach(async () => {
  await db.sql`truncate jobs, decision_sets, queues, langgraph.checkpoints, langgraph.checkpoint_blobs, langgraph.checkpoint_writes cascade`;
});
afterAll(async () => {
  await db.close();
  await drop();
});

const add = async (job: NewJob) => (await db.transaction(async (tx) => enqueue(tx, job))).jobId;
const read = async (jobId: string) => getTurn(db.sql, { ownerId, jobId });
const chat = (): JobHandler =>
  mlWorkflow({
    db,
    price: null,
    model: null,
  });

const greet = defineJob({
  type: "greet",
  payload: z.object({ name: z.string().min(1) }),
  retry: { maxRetries: 2 },
  run: async ({ payload }) => ({ result: { text: `Hello ${payload.name}` } }),
});

test("a job type makes typed jobs and refuses a wrong payload before anything is stored", async () => {
  const jobId = await add(greet.job({ name: "Ada" }, { ownerId, priority: 2 }));
  expect(await drain({ db, handlers: [greet] })).toHaveLength(1);
  expect(await read(jobId)).toMatchObject({
    status: "completed",
    result: { text: "Hello Ada" },
    priority: 2,
    maxRetries: 2,
  });
  expect(() => greet.job({ name: "" }, { ownerId })).toThrow(InvalidJobError);
  expect(() => greet.job({ name: "" }, { ownerId })).toThrow(/greet: name/);
});

test("runInline runs a handler by itself and checks its payload", async () => {
  expect(await runInline(greet, { name: "Bo" })).toMatchObject({ result: { text: "Hello Bo" } });
  await expect(runInline(greet, {})).rejects.toThrow(PermanentError);
});

test("middleware wraps every run, the first as the outermost, and may replace the outcome", async () => {
  const order: string[] = [];
  const note = (name: string): Parameters<typeof drain>[0]["middleware"] => [
    async (_context, next) => {
      order.push(`${name} in`);
      const result = await next();
      order.push(`${name} out`);
      return { ...result, result: [name, result.result] };
    },
  ];
  const jobId = await add(greet.job({ name: "Cy" }, { ownerId }));
  await drain({ db, handlers: [greet], middleware: [...(note("outer") ?? []), ...(note("inner") ?? [])] });
  expect(order).toEqual(["outer in", "inner in", "inner out", "outer out"]);
  expect((await read(jobId)).result).toEqual(["outer", ["inner", { text: "Hello Cy" }]]);
});

test("drain runs retries and the jobs that a job enqueues, and stops at its limit", async () => {
  const flaky: JobHandler = {
    type: "flaky",
    run: async ({ job }) => {
      if (job.attempt < 3) throw new Error(`attempt ${job.attempt}`);
      return {};
    },
  };
  const jobId = await add({ ownerId, jobType: "flaky", payload: {} });
  expect((await drain({ db, handlers: [flaky] })).map((job) => job.attempt)).toEqual([1, 2, 3]);
  expect(await read(jobId)).toMatchObject({
    status: "completed",
    retryCount: 2,
    attempts: [{ errorMessage: "attempt 1" }, { errorMessage: "attempt 2" }, { outcome: "completed" }],
  });
  const endless: JobHandler = {
    type: "endless",
    run: async () => {
      await add({ ownerId, jobType: "endless", payload: {} });
      return {};
    },
  };
  await add({ ownerId, jobType: "endless", payload: {} });
  await expect(drain({ db, handlers: [endless], most: 5 })).rejects.toThrow(/More than 5 jobs/);
});

test("a snoozed job waits without using a retry; RetryAfterError keeps its own delay and uses one", async () => {
  const sleepy = defineJob({ type: "sleepy", payload: z.unknown(), run: async () => snooze(60_000) });
  const limited = defineJob({
    type: "limited",
    payload: z.unknown(),
    run: async () => {
      throw new RetryAfterError("slow down", 90_000);
    },
  });
  const snoozed = await add(sleepy.job({}, { ownerId }));
  const delayed = await add(limited.job({}, { ownerId }));
  await drain({ db, handlers: [sleepy, limited] });
  const waits = async (jobId: string) => {
    const [row] = await db.sql<{ ms: number }[]>`
      select (extract(epoch from run_at - clock_timestamp()) * 1000)::float8 as ms from jobs where id = ${jobId}`;
    return row?.ms ?? 0;
  };
  expect(await read(snoozed)).toMatchObject({
    status: "queued",
    hold: "time",
    retryCount: 0,
    attempts: [{ outcome: "released" }],
  });
  expect(await waits(snoozed)).toBeGreaterThan(50_000);
  expect(await waits(snoozed)).toBeLessThanOrEqual(60_000);
  expect(await read(delayed)).toMatchObject({ status: "queued", retryCount: 1, attempts: [{ outcome: "failed" }] });
  expect(await waits(delayed)).toBeGreaterThan(80_000);
});

test("export_thread exports a conversation as a document, and fails for good without a conversation", async () => {
  const { threadId } = await db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "Rank search results" }));
  await drain({ db, handlers: [chat()] });
  const type = exportThread(db);
  const markdown = await add(type.job({ threadId, format: "markdown" }, { ownerId }));
  const json = await add(type.job({ threadId, format: "json" }, { ownerId }));
  const foreign = await add(type.job({ threadId, format: "json" }, { ownerId: "somebody else" }));
  await drain({ db, handlers: [type] });
  const { messages } = await getThread(db.sql, { ownerId, threadId });
  expect((await read(markdown)).result).toMatchObject({
    filename: "rank-search-results.md",
    mediaType: "text/markdown",
    content: expect.stringContaining(messages[1]?.content ?? "?") as string,
  });
  expect((await read(json)).result).toMatchObject({ filename: "rank-search-results.json" });
  expect(await getTurnStatus(db.sql, { ownerId: "somebody else", jobId: foreign })).toMatchObject({
    status: "failed",
    attempt: 1,
    error: expect.stringContaining("Thread not found") as string,
  });
});

test("the past of idle threads is pruned once, and the conversation keeps its state", async () => {
  const say = async (content: string, threadId?: string) =>
    db.transaction(async (tx) => submitTurn(tx, { ownerId, content, threadId }));
  const { threadId } = await say("Detect card fraud at 2,000 transactions per second within 50 ms");
  await say("Keep it under $4,000 a month", threadId);
  await drain({ db, handlers: [chat()] });
  const checkpoints = async () => {
    const [row] = await db.sql<
      { count: number }[]
    >`select count(*)::int as count from langgraph.checkpoints where thread_id = ${threadId}`;
    return row?.count ?? 0;
  };
  const maintainer = () =>
    new QueueMaintainer({
      db,
      log: pino({ level: "silent" }),
      poll: { minMs: 1_000, maxMs: 1_000 },
      policyOf: () => ({ baseMs: 0, capMs: 0 }),
      reaper: { workerId: "w", heartbeatMs: 10_000 },
      retention: { completedMs: 60_000, failedMs: 60_000 },
      pruneCheckpoints,
    });
  const before = await checkpoints();
  expect(before).toBeGreaterThan(3);
  await maintainer().runDue();
  expect(await checkpoints()).toBe(before);

  await db.sql`update decision_sets set updated_at = clock_timestamp() - interval '2 minutes'`;
  const waiting = await say("What are the risks?", threadId);
  await db.sql`update decision_sets set updated_at = clock_timestamp() - interval '2 minutes'`;
  await maintainer().runDue();
  expect(await checkpoints()).toBe(before);

  await drain({ db, handlers: [chat()] });
  expect(await read(waiting.jobId)).toMatchObject({ status: "completed" });
  await db.sql`update decision_sets set updated_at = clock_timestamp() - interval '2 minutes'`;
  await maintainer().runDue();
  expect(await checkpoints()).toBe(1);
  const { jobId } = await say("What will it cost?", threadId);
  await drain({ db, handlers: [chat()] });
  expect((await getTurnStatus(db.sql, { ownerId, jobId })).reply).toMatch(/\$/);
  const [state] = await db.sql<{ texts: string }[]>`
    select string_agg(value, ' ') as texts from langgraph.checkpoint_blobs where thread_id = ${threadId} and channel = 'messages'`;
  expect(state?.texts).toContain("card fraud");
});
