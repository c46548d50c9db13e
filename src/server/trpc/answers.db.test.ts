import { claim } from "#queue/claim";
import { park } from "#queue/settle";
import type { NewInterrupt } from "#queue/settle";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Database } from "#db";
import type { JobStatusView } from "#shared/contracts";
import { createTestDatabase } from "../../../test/database.ts";
import { offerGraphs } from "../../../test/offer-graphs.ts";
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
  await db.sql`truncate jobs, decision_sets, queues, workers cascade`;
});
afterAll(async () => {
  await app.close();
  await db.close();
  await drop();
});

const call = async (path: string, input: object) => {
  const response = await app.inject({ method: "POST", url: `/api/trpc/${path}`, payload: input });
  const body = response.json<{ result?: { data: Record<string, unknown> }; error?: { message: string } }>();
  return { status: response.statusCode, data: body.result?.data, message: body.error?.message };
};
const ask = async <T>(path: string, input?: object): Promise<T> => {
  const query = input === undefined ? "" : `?input=${encodeURIComponent(JSON.stringify(input))}`;
  const response = await app.inject({ url: `/api/trpc/${path}${query}` });
  return response.json<{ result: { data: T } }>().result.data;
};
const question: NewInterrupt = {
  id: "q1",
  kind: "approval",
  value: { message: "Order?" },
  schema: { type: "object", properties: { approved: { type: "boolean" } }, required: ["approved"] },
  deadlineMs: 60_000,
};
const park1 = async (asked = question): Promise<string> => {
  await call("chat.submit", { content: "Order it" });
  const { jobs } = await claim(db.sql, { workerId: "w", limit: 1, leaseMs: 30_000 });
  const [job] = jobs;
  if (!job) throw new Error("nothing was claimed");
  await db.transaction(async (tx) => park(tx, job, [asked]));
  return job.jobId;
};

test("jobs.status shows what a waiting job asks; chat.answer lets it go on", async () => {
  const jobId = await park1();
  const waiting = await ask<JobStatusView>("jobs.status", { jobId });
  expect(waiting).toMatchObject({ status: "waiting", workerId: null, leaseExpiresAt: null, retryCount: 0 });
  expect(waiting.interrupt).toMatchObject({
    id: "q1",
    kind: "approval",
    value: question.value,
    schema: question.schema,
  });
  expect(waiting.interrupt?.deadlineAt).toMatch(/^\d{4}-.*Z$/);
  expect(waiting.interrupts).toHaveLength(1);
  const answered = await call("chat.answer", { jobId, interruptId: "q1", answers: { approved: true } });
  expect(answered).toMatchObject({ status: 200, data: { jobId, status: "queued" } });
  expect(await ask<JobStatusView>("jobs.status", { jobId })).toMatchObject({ status: "queued", interrupt: null });
});

test.each<[string, object, number, RegExp]>([
  [
    "an answer that does not fit",
    { interruptId: "q1", answers: { approved: "yes" } },
    400,
    /answers\.approved must be boolean/,
  ],
  ["an answer without a property", { interruptId: "q1", answers: {} }, 400, /must have required property 'approved'/],
  ["an unknown interrupt", { interruptId: "q2", answers: {} }, 404, /"q2" not found/],
  ["no answer", { interruptId: "q1" }, 400, /answers must be given/],
  ["several that are no object", { answers: "yes" }, 400, /answers must be an object/],
  ["an empty interruptId", { interruptId: "", answers: {} }, 400, /interruptId must not be empty/],
])("%s is refused, and the job goes on waiting", async (_name, input, status, message) => {
  const jobId = await park1();
  const refused = await call("chat.answer", { jobId, ...input });
  expect([refused.status, refused.message]).toEqual([status, expect.stringMatching(message)]);
  expect((await ask<JobStatusView>("jobs.status", { jobId })).interrupts).toHaveLength(1);
});

test("a schema whose pattern takes for ever holds up no other caller, and its answer is refused", async () => {
  const jobId = await park1({ ...question, schema: { type: "string", pattern: "^(a+)+$" } });
  const order: string[] = [];
  const answered = call("chat.answer", { jobId, interruptId: "q1", answers: `${"a".repeat(40)}!` });
  const others = Array.from({ length: 5 }, async () => {
    expect((await app.inject({ url: "/healthz" })).statusCode).toBe(200);
    order.push("other");
  });
  const refused = await answered;
  order.push("answer");
  await Promise.all(others);
  expect(order.at(-1)).toBe("answer");
  expect(refused.status).toBe(400);
  expect(refused.message).toContain("could not be checked within 250 ms: the schema of interrupt q1 is too expensive");
  expect((await call("chat.answer", { jobId, interruptId: "q1", answers: "aaa" })).status).toBe(200);
});

test("a question that is asked anew while its answer is checked must be answered again", async () => {
  const jobId = await park1();
  const asked = await db.sql`select 1 from job_interrupts where job_id = ${jobId}`;
  expect(asked).toHaveLength(1);
  const answered = call("chat.answer", { jobId, interruptId: "q1", answers: { approved: true } });
  await db.sql`update job_interrupts set schema = '{"type": "string"}' where job_id = ${jobId}`;
  const { status, message } = await answered;
  // Either the new schema was read first, and the answer does not fit, or it came in between.
  expect([400, 409]).toContain(status);
  expect(message).toMatch(/must be string|was asked anew meanwhile: answer again/);
});

test("answering twice, or a job that has ended, is a conflict; an unknown job is not found", async () => {
  const jobId = await park1();
  const answer = { jobId, interruptId: "q1", answers: { approved: false } };
  expect((await call("chat.answer", answer)).status).toBe(200);
  expect(await call("chat.answer", answer)).toMatchObject({
    status: 409,
    message: "Interrupt q1 has been answered already",
  });
  await call("jobs.cancel", { jobId });
  expect((await call("chat.answer", answer)).status).toBe(409);
  const unknown = { ...answer, jobId: "00000000-0000-7000-8000-000000000000" };
  expect((await call("chat.answer", unknown)).status).toBe(404);
});

test.each<[string, object, RegExp]>([
  ["an unknown graph", { graph: "nothing" }, /graph "nothing" is unknown: there are good/],
  ["a broken graph", { graph: "broken" }, /graph "broken" cannot be run: it has no export/],
  [
    "an unknown strategy",
    { multitaskStrategy: "hurry" },
    /multitaskStrategy must be enqueue, reject, interrupt or rollback/,
  ],
  ["a parentId that is no UUID", { parentId: "x" }, /parentId must be a UUID/],
  [
    "a parentId that is not there",
    { parentId: "00000000-0000-7000-8000-000000000000" },
    /is no message of this thread/,
  ],
  ["a budget of nothing", { budget: { tokens: 0 } }, /budget\.tokens must be at least 1/],
  ["a fractional budget", { budget: { tokens: 1.5 } }, /budget\.tokens must be a whole number/],
  ["a negative cost", { budget: { costUsd: -1 } }, /budget\.costUsd must be above 0/],
])("%s is refused, and nothing is stored", async (_name, input, message) => {
  await offerGraphs(db.sql, ["good"]);
  await offerGraphs(db.sql, ["broken"], { error: "it has no export" });
  const refused = await call("chat.submit", { content: "hello", ...input });
  expect([refused.status, refused.message]).toEqual([400, expect.stringMatching(message)]);
  expect(await db.sql`select 1 from jobs union all select 1 from decision_sets`).toHaveLength(0);
});

test("a thread goes on with the graph that it began with, and says which that is", async () => {
  await offerGraphs(db.sql, ["good"], { description: "Does good" });
  expect(await ask("graphs.list")).toMatchObject({ graphs: [{ name: "good", description: "Does good", error: null }] });
  const { data } = await call("chat.submit", { content: "hello", graph: "good" });
  const threadId = String(data?.["threadId"]);
  const next = await call("chat.submit", { content: "again", threadId });
  const job = await ask<JobStatusView>("jobs.status", { jobId: String(next.data?.["jobId"]) });
  expect(job.jobType).toBe("graph:good");
  expect(await ask("threads.get", { threadId })).toMatchObject({ graph: "good" });
});

test("a busy thread refuses a message that asks for an idle one", async () => {
  const { data } = await call("chat.submit", { content: "hello" });
  const busy = await call("chat.submit", {
    content: "again",
    threadId: data?.["threadId"],
    multitaskStrategy: "reject",
  });
  expect([busy.status, busy.message]).toEqual([409, expect.stringContaining("The thread is busy") as string]);
});
