import { submitTurn } from "#conversation";
import { enqueue } from "#queue/enqueue";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { openModel, wrapGraph } from "#graph";
import type { Budget } from "#shared/usage";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { startModelServer } from "../../../test/model-server.ts";
import { openTurns } from "../../../test/turns.ts";
import { defineJob } from "../define-job.ts";
import { graphJob } from "../jobs/graph-job.ts";
import { mlWorkflow } from "../jobs/ml-workflow.ts";
import { findExcess } from "./usage-meter.ts";

let turns: Awaited<ReturnType<typeof openTurns>>;
let server: Awaited<ReturnType<typeof startModelServer>>;

beforeAll(async () => {
  turns = await openTurns();
});
beforeEach(async () => {
  await turns.clear();
  server = await startModelServer("openai");
});
afterEach(async () => {
  await turns.stopWorkers();
  await server.close();
});
afterAll(async () => turns.close());

const start = async (price = turns.options.price as typeof turns.options.price | null) => {
  const model = await openModel("openai:m", { openaiBaseUrl: server.url });
  await turns.startWorker([mlWorkflow({ ...turns.options, price, model })]);
};
const submit = async (budget?: Budget, maxRetries = 0) =>
  turns.db.transaction(async (tx) =>
    submitTurn(tx, { ownerId: "local", content: "Predict churn", budget, maxRetries }),
  );

test("the attempt and the job show the tokens and the cost of the model's answers", async () => {
  server.behave({ kind: "answer", texts: ["An ", "answer."] });
  await start();
  const { jobId } = await submit();
  const job = await turns.reaches(jobId, "completed");
  const usage = { inputTokens: 11, outputTokens: 7, costUsd: 25e-6 };
  expect(job).toMatchObject({ reply: "An answer.", usage, attempts: [{ outcome: "completed", usage }] });
});

test("without a price the cost is null", async () => {
  server.behave({ kind: "answer", texts: ["An answer."] });
  await start(null);
  const { jobId } = await submit();
  expect((await turns.reaches(jobId, "completed")).usage).toEqual({ inputTokens: 11, outputTokens: 7, costUsd: null });
});

test.each<[string[], number | null]>([
  [["m"], 25e-6],
  [["other"], null],
  [["m", "other"], null],
])("a graph that asks the models %j costs %j, with a known price of one", async (names, costUsd) => {
  const models = await Promise.all(
    names.map(async (name) => openModel(`openai:${name}`, { openaiBaseUrl: server.url })),
  );
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("ask", async () => ({ messages: await Promise.all(models.map(async (model) => model.invoke("hello"))) }))
    .addEdge(START, "ask");
  await turns.startWorker([graphJob(wrapGraph("own", graph), turns.options)]);
  await offerGraphs(turns.db.sql, ["own"]);
  const { jobId } = await turns.db.transaction(async (tx) =>
    submitTurn(tx, { ownerId: "local", content: "hello", graph: "own", maxRetries: 0 }),
  );
  const { usage } = await turns.reaches(jobId, "completed");
  expect(usage).toEqual({ inputTokens: 11 * names.length, outputTokens: 7 * names.length, costUsd });
});

test.each<[Budget, RegExp]>([
  [{ tokens: 17 }, /used 18 tokens, more than its budget of 17/],
  [{ costUsd: 0.00002 }, /cost \$0\.000025, more than its budget of \$0\.00002/],
])("a job over its budget %j fails for good, without a reply", async (budget, message) => {
  server.behave({ kind: "answer", texts: ["An answer."] });
  await start();
  const { jobId } = await submit(budget, 3);
  const job = await turns.reaches(jobId, "failed");
  expect(job.error).toMatch(message);
  expect(job).toMatchObject({ reply: null, retryCount: 0, attempts: [{ errorName: "BudgetExceededError" }] });
  expect(job.usage).toMatchObject({ inputTokens: 11, outputTokens: 7 });
  expect(job.attempts[0]?.usage).toMatchObject({ inputTokens: 11 });
});

test("a job within its budget completes", async () => {
  server.behave({ kind: "answer", texts: ["An answer."] });
  await start();
  const { jobId } = await submit({ tokens: 18, costUsd: 0.01 });
  expect((await turns.reaches(jobId, "completed")).reply).toBe("An answer.");
});

test("earlier attempts count: the attempt that exceeds the budget is stopped", async () => {
  server.behave({ kind: "answer", texts: ["An answer."] });
  const model = await openModel("openai:m", { openaiBaseUrl: server.url });
  const asks = defineJob({
    type: "asks",
    payload: z.unknown(),
    async run({ spend }) {
      await model.invoke("hello");
      spend({ inputTokens: 11, outputTokens: 7, costUsd: 0.001 });
      throw new Error("not yet");
    },
  });
  await turns.startWorker([asks]);
  const { jobId } = await turns.db.transaction(async (tx) =>
    enqueue(tx, { ownerId: "local", jobType: "asks", payload: {}, maxRetries: 9, budget: { tokens: 40 } }),
  );
  const job = await turns.reaches(jobId, "failed");
  expect(job.error).toBe("The job has used 54 tokens, more than its budget of 40");
  expect(job.attempts.map(({ errorName }) => errorName)).toEqual(["Error", "Error", "BudgetExceededError"]);
  expect(job.usage).toEqual({ inputTokens: 33, outputTokens: 21, costUsd: 0.003 });
  expect(server.requests).toHaveLength(3);
});

test("the use of a crashed attempt counts too", async () => {
  const over = defineJob({
    type: "over",
    payload: z.unknown(),
    async run({ spend, signal }) {
      spend({ inputTokens: 30, outputTokens: 0, costUsd: null });
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    },
  });
  const worker = await turns.startWorker([over]);
  const { jobId } = await turns.db.transaction(async (tx) =>
    enqueue(tx, { ownerId: "local", jobType: "over", payload: {}, maxRetries: 9, budget: { tokens: 50 } }),
  );
  await expect.poll(async () => (await turns.reaches(jobId, "running")).usage).toMatchObject({ inputTokens: 30 });
  await turns.takeLeases();
  const job = await turns.reaches(jobId, "failed");
  expect(job.attempts.map(({ outcome, usage }) => [outcome, usage?.inputTokens])).toEqual([
    ["lease_expired", 30],
    ["failed", 30],
  ]);
  expect(job.error).toContain("used 60 tokens");
  await worker.stop();
});

test("earlier attempts count against the budget", () => {
  const usage = { inputTokens: 10, outputTokens: 5, costUsd: null };
  expect(findExcess({ tokens: 15 }, usage)).toBeNull();
  expect(findExcess({ tokens: 14 }, usage)).toContain("15 tokens");
  expect(findExcess({ costUsd: 1 }, usage)).toContain("MODEL_PRICE");
});
