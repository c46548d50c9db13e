import { answer, submitTurn } from "#conversation";
import { enqueue } from "#queue/enqueue";
import { tool } from "@langchain/core/tools";
import { AIMessage } from "@langchain/core/messages";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { trace } from "@opentelemetry/api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { openModel, wrapGraph } from "#graph";
import type { Tracer } from "#tracing";
import { startCollector, toTree } from "../../test/collector.ts";
import type { SentSpan } from "../../test/collector.ts";
import { deferred } from "../../test/deferred.ts";
import { startModelServer } from "../../test/model-server.ts";
import { openTestTracer } from "../../test/tracer.ts";
import { openTurns } from "../../test/turns.ts";
import { defineJob } from "./define-job.ts";
import type { JobHandler } from "./define-job.ts";
import { describeError } from "./run/describe-error.ts";
import { PermanentError } from "./errors.ts";
import { graphJob } from "./jobs/graph-job.ts";
import { mlWorkflow } from "./jobs/ml-workflow.ts";

const ownerId = "local";
const SUBMIT_ID = "b7ad6b7169203331";
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const traceContext = { traceparent: `00-${TRACE_ID}-${SUBMIT_ID}-01` };
const OUTCOME = "threadmill.attempt.outcome";
const SECRET = "sk-abcdefghijklmnop";

let turns: Awaited<ReturnType<typeof openTurns>>;
let collector: Awaited<ReturnType<typeof startCollector>>;
let tracer: Tracer;

beforeAll(async () => {
  turns = await openTurns();
  collector = await startCollector();
});
beforeEach(async () => {
  await turns.clear();
  collector.clear();
  ({ tracer } = await openTestTracer(collector.url, { describe: describeError }));
});
afterEach(async () => {
  await turns.stopWorkers();
  await tracer.close();
});
afterAll(async () => {
  await collector.close();
  await turns.close();
});

const start = async (...handlers: JobHandler[]) => turns.startWorker(handlers, { tracer });
const workflow = () => mlWorkflow({ ...turns.options, tracer, model: null });
const graphOf = (name: string, graph: { compile: () => unknown }) =>
  graphJob(wrapGraph(name, graph), { ...turns.options, tracer });
const submit = async (jobType?: string, content = "Predict churn") =>
  turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content, jobType, traceContext }));
/** All spans, after the worker has stopped and the exporter has sent the rest. */
const told = async (): Promise<SentSpan[]> => {
  await turns.stopWorkers();
  await tracer.close();
  return collector.spans;
};
/** The values of an attribute of the spans, in any order. */
const each = (spans: readonly SentSpan[], key: string) => new Set(spans.map((span) => span.attributes[key]));
const named = (spans: readonly SentSpan[], name: string) => spans.filter((span) => span.name === name);
const say = () => ({ messages: [new AIMessage("done")] });

test("an attempt is part of the submit's trace: the claim, the graph and each of its nodes in turn", async () => {
  const { workerId } = await start(workflow());
  const { jobId, threadId } = await submit();
  await turns.reaches(jobId, "completed");
  const spans = await told();
  expect(toTree(spans)).toEqual([
    { "job run ml_workflow": ["claim", { graph: ["node intake", "node plan", "node compose"] }] },
  ]);
  expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([TRACE_ID]));
  const [run] = named(spans, "job run ml_workflow");
  expect(run).toMatchObject({ parentSpanId: SUBMIT_ID, kind: 5, status: {} });
  expect(run?.attributes).toMatchObject({
    "threadmill.job.id": jobId,
    "threadmill.thread.id": threadId,
    "threadmill.job.type": "ml_workflow",
    "threadmill.queue": "default",
    "threadmill.job.attempt": 1,
    "threadmill.worker.id": workerId,
    [OUTCOME]: "completed",
  });
  expect(run?.attributes["threadmill.job.wait_ms"]).toBeGreaterThan(0);
  expect(named(spans, "node plan")[0]?.attributes).toMatchObject({ "threadmill.node": "plan", "threadmill.step": 2 });
});

test("the span of an attempt carries the time between due and claimed", async () => {
  const { jobId } = await submit();
  await turns.db.sql`update jobs set run_at = run_at - interval '1 hour' where id = ${jobId}`;
  await start(workflow());
  await turns.reaches(jobId, "completed");
  const waited = named(await told(), "job run ml_workflow")[0]?.attributes["threadmill.job.wait_ms"];
  expect(waited).toBeGreaterThanOrEqual(3_600_000);
  expect(waited).toBeLessThan(3_700_000);
});

test("a retry joins the same trace and runs only the remaining nodes; the failed span shows no secrets", async () => {
  let runs = 0;
  const flaky = new StateGraph(MessagesAnnotation)
    .addNode("first", () => ({}))
    .addNode("second", () => {
      runs += 1;
      if (runs === 1) throw new Error(`refused ${SECRET}`);
      return say();
    })
    .addEdge(START, "first")
    .addEdge("first", "second");
  await start(graphOf("flaky", flaky));
  const { jobId } = await submit("graph:flaky", "my own words");
  await turns.reaches(jobId, "completed");
  const spans = await told();
  expect(toTree(spans)).toEqual([
    { "job run graph:flaky": ["claim", { graph: ["node first", "node second"] }] },
    { "job run graph:flaky": ["claim", { graph: ["node second"] }] },
  ]);
  expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([TRACE_ID]));
  const failed = spans.filter((span) => span.status.code === 2).map((span) => span.name);
  expect(failed.toSorted()).toEqual(["graph", "job run graph:flaky", "node second"]);
  const [first, second] = named(spans, "job run graph:flaky").toSorted(
    (a, b) => Number(a.attributes["threadmill.job.attempt"]) - Number(b.attributes["threadmill.job.attempt"]),
  );
  expect(first?.attributes).toMatchObject({
    [OUTCOME]: "failed",
    "threadmill.attempt.will_retry": true,
  });
  expect(first?.events[0]?.attributes["exception.message"]).toBe("refused sk-***");
  expect(second?.attributes).toMatchObject({
    [OUTCOME]: "completed",
    "threadmill.job.attempt": 2,
    "threadmill.job.retry_count": 1,
  });
  const sent = collector.requests.map(({ body }) => body.toString()).join("");
  for (const text of [SECRET, "abcdefghijklmnop", "my own words"]) expect(sent).not.toContain(text);
});

test("a run that waits for a person has no failed span, and resumes in the same trace", async () => {
  const ask = tool(() => String(interrupt("Well?")), { name: "ask_person", schema: z.object({}) });
  const asks = new StateGraph(MessagesAnnotation)
    .addNode("ask", async () => ({ messages: [new AIMessage(await ask.invoke({}))] }))
    .addEdge(START, "ask");
  await start(graphOf("asks", asks));
  const { jobId } = await submit("graph:asks");
  const [question] = (await turns.reaches(jobId, "waiting")).interrupts;
  await turns.db.transaction(async (tx) => answer(tx, { ownerId, jobId, interruptId: question?.id, answers: "yes" }));
  await turns.reaches(jobId, "completed");
  const spans = await told();
  const attempt = { "job run graph:asks": ["claim", { graph: [{ "node ask": ["execute_tool ask_person"] }] }] };
  expect(toTree(spans)).toEqual([attempt, attempt]);
  expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([TRACE_ID]));
  expect(spans.filter((span) => span.status.code === 2)).toEqual([]);
  expect(each(named(spans, "job run graph:asks"), OUTCOME)).toEqual(new Set(["completed", "waiting"]));
  expect(each(named(spans, "graph"), "threadmill.graph.outcome")).toEqual(new Set(["finished", "waiting"]));
});

test("the spans of subgraphs, tools and a node's own code are children of the node that ran them", async () => {
  const look = tool(() => "found", { name: "look_up", schema: z.object({}) });
  const tell = (name: string) => trace.getTracer("theirs").startSpan(name).end();
  const inner = new StateGraph(MessagesAnnotation)
    .addNode("deep", () => {
      tell("their deep");
      return {};
    })
    .addEdge(START, "deep")
    .compile();
  const outer = new StateGraph(MessagesAnnotation)
    .addNode("left", async () => {
      await look.invoke({});
      tell("their left");
      return {};
    })
    .addNode("right", inner)
    .addNode("say", say)
    .addEdge(START, "left")
    .addEdge(START, "right")
    .addEdge(["left", "right"], "say");
  await start(graphOf("outer", outer));
  await turns.reaches((await submit("graph:outer")).jobId, "completed");
  const [{ "job run graph:outer": below }] = toTree(await told()) as [{ "job run graph:outer": [string, object] }];
  const [, { graph }] = below as [string, { graph: unknown[] }];
  expect(graph).toHaveLength(3);
  expect(graph).toEqual(
    expect.arrayContaining([
      { "node left": ["execute_tool look_up", "their left"] },
      { "node right": [{ graph: [{ "node deep": ["their deep"] }] }] },
      "node say",
    ]),
  );
});

test("the span of a model call carries the model and its usage, and no message text", async () => {
  const server = await startModelServer("openai");
  server.behave({ kind: "answer", texts: ["spoken words"] });
  const model = await openModel("openai:some-model", { openaiBaseUrl: server.url, openaiApiKey: SECRET });
  await start(mlWorkflow({ ...turns.options, tracer, model }));
  const { jobId } = await submit(undefined, "Predict my own words");
  await turns.reaches(jobId, "completed");
  const spans = await told();
  await server.close();
  const [call] = named(spans, "chat some-model");
  expect(call).toMatchObject({ kind: 3, parentSpanId: named(spans, "node compose")[0]?.spanId });
  expect(call?.attributes).toMatchObject({
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "some-model",
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
  });
  const sent = collector.requests.map(({ body }) => body.toString()).join("");
  for (const text of ["spoken words", "my own words", SECRET]) expect(sent).not.toContain(text);
});

test("a job without a trace begins one; permanent failures, unknown types and aborted runs have their own outcomes", async () => {
  const refuses = defineJob({
    type: "refuses",
    payload: z.object({}),
    run: async () => Promise.reject(new PermanentError("no")),
  });
  const never = deferred();
  const hangs = defineJob({ type: "hangs", payload: z.object({}), timeoutMs: 50, run: async () => never.promise });
  const worker = await start(refuses, hangs);
  const ids: string[] = [];
  for (const jobType of ["refuses", "hangs", "unheard of"]) {
    const job = await turns.db.transaction(async (tx) => enqueue(tx, { ownerId, jobType, payload: {}, maxRetries: 0 }));
    ids.push(job.jobId);
    await turns.reaches(job.jobId, "failed");
  }
  const spans = await told();
  never.resolve();
  const runs = spans.filter((span) => span.name !== "claim");
  const tells = runs.map(({ name, attributes, parentSpanId = "" }) => [
    name,
    attributes[OUTCOME],
    attributes["threadmill.attempt.will_retry"],
    attributes["error.type"],
    parentSpanId,
  ]);
  expect(tells).toEqual([
    ["job run refuses", "failed", false, "PermanentError", ""],
    ["job run hangs", "timed_out", false, "JobTimeoutError", ""],
    ["job run unheard of", "failed", false, "PermanentError", ""],
  ]);
  expect(new Set(runs.map((span) => span.traceId)).size).toBe(3);
  // The log names the trace, so that one leads to the other.
  const logged = worker.lines.find((line) => line.includes(ids[0] ?? "") && line.includes("job failed for good"));
  expect(logged).toContain(`"traceId":"${runs[0]?.traceId}"`);
});

test("open spans of an aborted run fail with the run's error", async () => {
  const never = deferred();
  const wait = tool(async () => never.promise, { name: "wait", schema: z.object({}) });
  const hangs = new StateGraph(MessagesAnnotation)
    .addNode("hang", async () => {
      await wait.invoke({});
      return say();
    })
    .addEdge(START, "hang");
  await turns.startWorker([graphOf("hangs", hangs)], { tracer, defaultTimeoutMs: 500 });
  const { jobId } = await turns.db.transaction(async (tx) =>
    submitTurn(tx, { ownerId, content: "x", jobType: "graph:hangs", maxRetries: 0 }),
  );
  await turns.reaches(jobId, "failed");
  const spans = await told();
  never.resolve();
  expect(named(spans, "node hang")[0]?.attributes).toMatchObject({ "error.type": "JobTimeoutError" });
  expect(named(spans, "execute_tool wait")[0]?.attributes).toMatchObject({ "error.type": "JobTimeoutError" });
});

test("a span that is never ended, such as an answer that a node stops reading, ends with its graph", async () => {
  const model = new FakeListChatModel({ responses: ["a long answer"] });
  const impatient = new StateGraph(MessagesAnnotation)
    .addNode("read", async () => {
      for await (const part of await model.stream("?")) return { messages: [new AIMessage(part.text)] };
      return {};
    })
    .addEdge(START, "read");
  await start(graphOf("impatient", impatient));
  await turns.reaches((await submit("graph:impatient")).jobId, "completed");
  const [call] = named(await told(), "chat");
  expect(call?.attributes).toMatchObject({ "threadmill.cut_off": true });
});

test("a run that drains has not failed, and the next attempt goes on in the same trace", async () => {
  const begun = deferred();
  const leaves = deferred();
  const long = new StateGraph(MessagesAnnotation)
    .addNode("first", async () => {
      begun.resolve();
      await leaves.promise;
      return {};
    })
    .addNode("second", say)
    .addEdge(START, "first")
    .addEdge("first", "second");
  const worker = await start(graphOf("long", long));
  const { jobId } = await submit("graph:long");
  await begun.promise;
  const left = worker.stop();
  leaves.resolve();
  await left;
  await start(graphOf("long", long));
  await turns.reaches(jobId, "completed");
  const spans = await told();
  expect(toTree(spans)).toEqual([
    { "job run graph:long": ["claim", { graph: ["node first"] }] },
    { "job run graph:long": ["claim", { graph: ["node second"] }] },
  ]);
  expect(spans.filter((span) => span.status.code === 2)).toEqual([]);
  const drained = spans.filter((span) => span.attributes["threadmill.graph.outcome"] === "drained");
  const released = spans.filter((span) => span.attributes[OUTCOME] === "released");
  expect(drained.map((span) => span.parentSpanId)).toEqual(released.map((span) => span.spanId));
  expect(released).toHaveLength(1);
});

test("the span of an attempt that lost its lease has the outcome lease_lost", async () => {
  const begun = deferred();
  const lost = deferred();
  const slow = defineJob({
    type: "slow",
    payload: z.object({}),
    async run({ job }) {
      if (job.attempt > 1) return;
      begun.resolve();
      await lost.promise;
    },
  });
  await start(slow);
  const { jobId } = await turns.db.transaction(async (tx) =>
    enqueue(tx, { ownerId, jobType: "slow", payload: {}, traceContext }),
  );
  await begun.promise;
  await turns.takeLeases();
  await turns.reaches(jobId, "completed");
  lost.resolve();
  const spans = named(await told(), "job run slow");
  expect(spans).toHaveLength(2);
  expect(each(spans, OUTCOME)).toEqual(new Set(["completed", "lease_lost"]));
  expect(new Set(spans.map((span) => span.parentSpanId))).toEqual(new Set([SUBMIT_ID]));
});

test("a worker without a tracer sends no spans, also for a job with a trace", async () => {
  await turns.startWorker([mlWorkflow({ ...turns.options, model: null })]);
  await turns.reaches((await submit()).jobId, "completed");
  expect(await told()).toEqual([]);
});
