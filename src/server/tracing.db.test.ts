import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Tracer } from "#tracing";
import { startCollector } from "../../test/collector.ts";
import { openQueue } from "../../test/queue.ts";
import { openTestTracer } from "../../test/tracer.ts";
import { buildApp } from "./app.ts";

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

test.each(ENTRIES)("%s is a span of the caller's trace, and its job carries it on", async (entry, url, payload) => {
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
});

test("chat.send is traced as far as its submit", async () => {
  const sent = post("/api/trpc/chat.send", { content: "Predict churn" }, headers);
  await expect.poll(async () => (await stored()).length, { timeout: 10_000, interval: 10 }).toBe(1);
  const job = await queue.takeOne();
  expect(job.traceContext?.["traceparent"]).toContain(TRACE_ID);
  await queue.finish(job);
  expect((await sent).statusCode).toBe(200);
  await tracer.close();
  expect(collector.spans.map((span) => span.attributes["threadmill.entry"])).toEqual(["chat.send"]);
});

test("a caller without a trace, or with nonsense, begins one", async () => {
  await post("/api/chat/async", { messages });
  await post("/api/chat/async", { messages }, { traceparent: "00-nonsense" });
  await tracer.close();
  expect(collector.spans.map(({ parentSpanId = "" }) => parentSpanId)).toEqual(["", ""]);
  expect(new Set(collector.spans.map((span) => span.traceId)).size).toBe(2);
  for (const { trace_context } of await stored()) expect(trace_context?.["traceparent"]).toMatch(/^00-/);
});

test("a submit that is refused is a span that failed", async () => {
  const unknown = { content: "Predict churn", graph: "nowhere" };
  expect((await post("/api/trpc/chat.submit", unknown, headers)).statusCode).toBe(400);
  await tracer.close();
  expect(collector.spans).toMatchObject([{ traceId: TRACE_ID, status: { code: 2, message: "described" } }]);
  expect(await stored()).toEqual([]);
});

test("the same submit again is a span of its own trace; the job stays in the first", async () => {
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

test("without a tracer nothing is told and nothing is stored", async () => {
  const untraced = await buildApp({ db: queue.db, logLevel: "silent" });
  await untraced.inject({ method: "POST", url: "/api/chat/async", payload: { messages }, headers });
  await untraced.close();
  await tracer.close();
  expect((await stored()).map((job) => job.trace_context)).toEqual([null]);
  expect(collector.spans).toEqual([]);
});
