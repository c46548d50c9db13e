import type { ClaimedJob } from "#queue";
import { park } from "#queue/settle";
import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Tracer } from "#tracing";
import { startCollector } from "../../../test/collector.ts";
import { openQueue } from "../../../test/queue.ts";
import { openTestTracer } from "../../../test/tracer.ts";
import { buildApp } from "../app.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const CALLER_ID = "b7ad6b7169203331";
const headers = { traceparent: `00-${TRACE_ID}-${CALLER_ID}-01`, tracestate: "vendor=a", baggage: "secret=hunter2" };
const messages = [{ role: "user", content: "Predict churn" }];

let queue: Awaited<ReturnType<typeof openQueue>>;
let collector: Awaited<ReturnType<typeof startCollector>>;
let tracer: Tracer;
let app: FastifyInstance;

beforeAll(async () => {
  queue = await openQueue();
  collector = await startCollector();
});
beforeEach(async () => {
  await queue.clear();
  collector.clear();
  ({ tracer } = await openTestTracer(collector.url, { describe: () => ({ name: "E", message: "described" }) }));
  app = await buildApp({ db: queue.db, tracer, logLevel: "silent" });
});
afterEach(async () => {
  await app.close();
  await tracer.close();
});
afterAll(async () => {
  await collector.close();
  await queue.close();
});

const ENTRIES: [string, string, object][] = [
  ["chat.submit", "/api/trpc/chat.submit", { content: "Predict churn" }],
  ["threads.export", "/api/trpc/threads.export", { threadId: "0198f1de-0000-7000-8000-000000000000" }],
  ["POST /api/chat/async", "/api/chat/async", { messages }],
];
const post = async (url: string, payload: object, more: Record<string, string> = {}) =>
  app.inject({ method: "POST", url, payload: payload as Record<string, unknown>, headers: more });
const stored = async () =>
  queue.db.sql<{ id: string; thread_id: string | null; trace_context: Record<string, string> | null }[]>`
    select id, thread_id, trace_context from jobs`;

test.each(ENTRIES)(
  "%s creates a span in the caller's trace, and the job stores its context",
  async (entry, url, payload) => {
    expect((await post(url, payload, headers)).statusCode).toBe(200);
    await tracer.close();
    const [job] = await stored();
    const [span] = collector.spans;
    expect(collector.spans).toHaveLength(1);
    expect(span).toMatchObject({ name: "job submit", kind: 4, traceId: TRACE_ID, parentSpanId: CALLER_ID });
    expect(span?.attributes).toMatchObject({ "threadmill.entry": entry, "threadmill.job.id": job?.id });
    if (job?.thread_id) expect(span?.attributes["threadmill.thread.id"]).toBe(job.thread_id);
    expect(job?.trace_context).toEqual({
      traceparent: `00-${TRACE_ID}-${span?.spanId}-01`,
      tracestate: "vendor=a",
    });
  },
);

test("the trace of chat.send covers its submit", async () => {
  const sent = post("/api/trpc/chat.send", { content: "Predict churn" }, headers);
  await expect.poll(async () => (await stored()).length, { timeout: 10_000, interval: 10 }).toBe(1);
  const job = await queue.takeOne();
  expect(job.traceContext?.["traceparent"]).toContain(TRACE_ID);
  await queue.finish(job);
  expect((await sent).statusCode).toBe(200);
  await tracer.close();
  expect(collector.spans.map((span) => span.attributes["threadmill.entry"])).toEqual(["chat.send"]);
});

test("a missing or invalid traceparent starts a new trace", async () => {
  await post("/api/chat/async", { messages });
  await post("/api/chat/async", { messages }, { traceparent: "00-nonsense" });
  await tracer.close();
  expect(collector.spans.map(({ parentSpanId = "" }) => parentSpanId)).toEqual(["", ""]);
  expect(new Set(collector.spans.map((span) => span.traceId)).size).toBe(2);
  for (const { trace_context } of await stored()) expect(trace_context?.["traceparent"]).toMatch(/^00-/);
});

test("a refused submit creates a failed span", async () => {
  const unknown = { content: "Predict churn", graph: "nowhere" };
  expect((await post("/api/trpc/chat.submit", unknown, headers)).statusCode).toBe(400);
  await tracer.close();
  expect(collector.spans).toMatchObject([{ traceId: TRACE_ID, status: { code: 2, message: "described" } }]);
  expect(await stored()).toEqual([]);
});

test("a repeated submit creates a span in its own trace; the job keeps the first trace", async () => {
  const payload = { content: "Predict churn", idempotencyKey: "k" };
  await post("/api/trpc/chat.submit", payload, headers);
  const other = "00-11111111111111111111111111111111-2222222222222222-01";
  await post("/api/trpc/chat.submit", payload, { traceparent: other });
  await tracer.close();
  const [job, ...more] = await stored();
  expect(more).toEqual([]);
  expect(collector.spans.map((span) => [span.traceId, span.attributes["threadmill.job.id"]])).toEqual([
    [TRACE_ID, job?.id],
    ["1".repeat(32), job?.id],
  ]);
  expect(job?.trace_context?.["traceparent"]).toContain(TRACE_ID);
});

test("without a tracer no span is sent and no trace context is stored", async () => {
  const untraced = await buildApp({ db: queue.db, logLevel: "silent" });
  await untraced.inject({ method: "POST", url: "/api/chat/async", payload: { messages }, headers });
  await untraced.close();
  await tracer.close();
  expect((await stored()).map((job) => job.trace_context)).toEqual([null]);
  expect(collector.spans).toEqual([]);
});

const QUESTION = { id: "q", kind: "question", value: "?", schema: null, deadlineMs: null };
const OTHER = { id: "1".repeat(32), span: "2".repeat(16) };
const CHANGES: [string, string, (job: ClaimedJob) => Promise<unknown>, object][] = [
  [
    "job answer",
    "chat.answer",
    async (job) => queue.db.transaction(async (tx) => park(tx, job, [QUESTION])),
    { interruptId: "q", answers: 1 },
  ],
  ["job retry", "jobs.retry", async (job) => queue.failOne(job, true), {}],
  ["job cancel", "jobs.cancel", async () => undefined, {}],
];

test.each(CHANGES)("%s creates a span in the job's own trace, and links the caller's trace", async (...change) => {
  const [name, entry, prepare, input] = change;
  await post("/api/chat/async", { messages }, headers);
  const job = await queue.takeOne();
  await prepare(job);
  const { jobId } = job;
  const caller = { traceparent: `00-${OTHER.id}-${OTHER.span}-01` };
  expect((await post(`/api/trpc/${entry}`, { jobId, ...input }, caller)).statusCode).toBe(200);
  const [next] = await queue.take();
  if (name !== "job cancel") expect(next?.traceContext).toEqual(job.traceContext);
  await tracer.close();
  const [submit, span] = collector.spans;
  expect(span).toMatchObject({
    name,
    traceId: TRACE_ID,
    parentSpanId: submit?.spanId,
    links: [{ traceId: OTHER.id, spanId: OTHER.span }],
    status: {},
  });
  expect(span?.attributes).toEqual({ "threadmill.entry": entry, "threadmill.job.id": jobId });
});

test("a bulk change creates one span per job", async () => {
  const [one, two] = [await queue.add(), await queue.add()];
  await post("/api/trpc/jobs.cancelMany", { jobIds: [one.jobId, two.jobId] });
  await post("/api/trpc/jobs.retryMany", { jobIds: [one.jobId, two.jobId] });
  await tracer.close();
  expect(collector.spans.map((span) => [span.name, span.attributes["threadmill.job.id"]])).toEqual([
    ["job cancel", one.jobId],
    ["job cancel", two.jobId],
    ["job retry", one.jobId],
    ["job retry", two.jobId],
  ]);
});

test("changes of an untraced job join the caller's trace, and a refusal is a failed span", async () => {
  const { jobId } = await queue.add();
  await post("/api/trpc/jobs.cancel", { jobId }, headers);
  expect((await post("/api/trpc/chat.answer", { jobId, interruptId: "q", answers: 1 }, headers)).statusCode).toBe(409);
  await tracer.close();
  expect(collector.spans).toMatchObject([
    { name: "job cancel", traceId: TRACE_ID, parentSpanId: CALLER_ID, links: [], status: {} },
    { name: "job answer", traceId: TRACE_ID, parentSpanId: CALLER_ID, status: { code: 2, message: "described" } },
  ]);
});

test("the change of another owner's job does not reveal the trace of that job", async () => {
  const { jobId } = await queue.add({
    ownerId: "other",
    traceContext: { traceparent: `00-${OTHER.id}-${OTHER.span}-01` },
  });
  expect((await post("/api/trpc/jobs.cancel", { jobId }, headers)).statusCode).toBe(404);
  await tracer.close();
  expect(collector.spans).toMatchObject([{ name: "job cancel", traceId: TRACE_ID, status: { code: 2 } }]);
});
