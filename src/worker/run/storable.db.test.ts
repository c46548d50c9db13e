import { answer, submitTurn } from "#conversation";
import { enqueue } from "#queue/enqueue";
import { AIMessage } from "@langchain/core/messages";
import { interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { wrapGraph } from "#graph";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openTurns } from "../../../test/turns.ts";
import { defineJob } from "../define-job.ts";
import type { JobDefinition } from "../define-job.ts";
import { MAX_REPLY_BYTES, MAX_RESULT_BYTES } from "#shared/limits";
import { graphJob } from "../jobs/graph-job.ts";
import { storable } from "./storable.ts";

const ownerId = "local";
let turns: Awaited<ReturnType<typeof openTurns>>;
beforeAll(async () => {
  turns = await openTurns();
});
beforeEach(async () => turns.clear());
afterEach(async () => turns.stopWorkers());
afterAll(async () => turns.close());

const job = (run: JobDefinition<object>["run"], type = "t") => defineJob({ type, payload: z.looseObject({}), run });
const add = async (jobType = "t") =>
  (await turns.db.transaction(async (tx) => enqueue(tx, { ownerId, jobType, payload: {}, maxRetries: 0 }))).jobId;

test.each([
  ["plain", "plain"],
  ["a\0b\ud800c", "ab\uFFFDc"],
  [
    { "k\0": ["\0", { x: "\udc00" }], n: 1 },
    { k: ["", { x: "\uFFFD" }], n: 1 },
  ],
  ["\\u0000", "\\u0000"],
  [null, null],
])("%j is stored as %j", (value, stored) => {
  expect(storable(value)).toEqual(stored);
});

test("an event that cannot be stored does not block the others", async () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  await turns.startWorker([
    job(async ({ emit, progress }) => {
      for (const data of ["first", "a\0b", { text: "\ud83d" }, 1n, circle, () => 1, "last"]) emit("note", data);
      progress("step\0", "detail");
      return { result: { text: "x\0y" } };
    }),
  ]);
  const { events, result } = await turns.reaches(await add(), "completed");
  const notes = events.flatMap(({ type, data }) => (type === "note" ? [data] : []));
  expect(notes).toEqual(["first", "ab", { text: "\uFFFD" }, null, null, null, "last"]);
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, index) => index + 1));
  expect(result).toEqual({ text: "xy" });
});

test("a result that is no JSON fails its own job at once, and no job of the same batch", async () => {
  await turns.startWorker([
    job(async () => ({ result: { big: 1n } }), "bad"),
    job(async () => ({ result: { fine: true } }), "good"),
  ]);
  const ids = await Promise.all(["bad", "good", "bad", "good"].map(async (type) => add(type)));
  const ended = await Promise.all(
    ids.map(async (jobId, index) => turns.reaches(jobId, index % 2 === 0 ? "failed" : "completed")),
  );
  const fault = expect.stringMatching(/result is no JSON value: .*BigInt/) as string;
  expect(ended.map(({ error }) => error)).toEqual([fault, null, fault, null]);
});

test("a graph's questions and replies are stored without NUL characters", async () => {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("ask", () => ({ messages: [new AIMessage(`you said\0 ${String(interrupt("sure\0?"))}\ud800`)] }))
    .addEdge(START, "ask");
  await offerGraphs(turns.db.sql, ["odd"]);
  await turns.startWorker([graphJob(wrapGraph("odd", graph), turns.options)]);
  const { jobId } = await turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "hi", graph: "odd" }));
  const [asked] = (await turns.reaches(jobId, "waiting")).interrupts;
  expect(asked?.value).toBe("sure?");
  await turns.db.transaction(async (tx) => answer(tx, { ownerId, jobId, interruptId: asked?.id, answers: "yes" }));
  expect((await turns.reaches(jobId, "completed")).reply).toBe("you said yes\uFFFD");
});

test("a result over the size limit fails its own job at once", async () => {
  await turns.startWorker([
    job(async () => ({ result: "x".repeat(MAX_RESULT_BYTES - 2) }), "most"),
    job(async () => ({ result: "x".repeat(MAX_RESULT_BYTES - 1) }), "more"),
  ]);
  const [most, more] = await Promise.all(["most", "more"].map(async (type) => add(type)));
  await turns.reaches(most ?? "", "completed");
  const { error, attempt } = await turns.reaches(more ?? "", "failed");
  expect(error).toBe(`The result has ${MAX_RESULT_BYTES + 1} bytes as JSON: at most ${MAX_RESULT_BYTES} are kept`);
  expect(attempt).toBe(1);
});

test("a reply over the size limit fails its turn at once", async () => {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("talk", () => ({ messages: [new AIMessage("é".repeat(MAX_REPLY_BYTES / 2 + 1))] }))
    .addEdge(START, "talk");
  await offerGraphs(turns.db.sql, ["long"]);
  await turns.startWorker([graphJob(wrapGraph("long", graph), turns.options)]);
  const { jobId } = await turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "hi", graph: "long" }));
  const { error, attempt } = await turns.reaches(jobId, "failed");
  expect(error).toBe(`The reply has ${MAX_REPLY_BYTES + 2} bytes: at most ${MAX_REPLY_BYTES} are kept`);
  expect(attempt).toBe(1);
});
