import { answer, getThread, submitTurn, cancelTurn, redriveTurn, getTurn } from "#conversation";
import { enqueue } from "#queue/enqueue";
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { wrapGraph } from "#graph";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openTurns } from "../../../test/turns.ts";
import { graphJob } from "./graph-job.ts";

const ownerId = "local";
let turns: Awaited<ReturnType<typeof openTurns>>;
/** The last message of each run of the first node. */
let begun: string[];
let failures: number;

beforeAll(async () => {
  turns = await openTurns();
});
beforeEach(async () => {
  begun = [];
  failures = 0;
  await turns.clear();
  await offerGraphs(turns.db.sql, ["steps"]);
});
afterEach(async () => turns.stopWorkers());
afterAll(async () => turns.close());

const asked = (messages: BaseMessage[]) => messages.findLast((one) => HumanMessage.isInstance(one))?.text ?? "";
const say = (text: string) => ({ messages: [new AIMessage(text)] });
/** A graph that fails, asks, or replies with all its messages; the last message chooses. */
const steps = () =>
  new StateGraph(MessagesAnnotation)
    .addNode("begin", ({ messages }) => {
      begun.push(asked(messages));
      return say(`begun ${asked(messages)}`);
    })
    .addNode("end", ({ messages }) => {
      const heard = messages.map(({ text }) => text);
      if (asked(messages) === "bad") throw new Error("refused");
      if (asked(messages) === "flaky" && (failures += 1) === 1) throw new Error("once");
      if (asked(messages).startsWith("ask")) heard.push(String(interrupt(asked(messages))));
      return say(`heard ${heard.join(", ")}`);
    })
    .addEdge(START, "begin")
    .addEdge("begin", "end");
const start = async (retry?: { baseMs: number; capMs: number }) =>
  turns.startWorker([graphJob(wrapGraph("steps", steps()), turns.options)], { ...(retry && { retry }) });
const submit = async (content: string, more: Partial<Parameters<typeof submitTurn>[1]> = {}) =>
  turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content, graph: "steps", maxRetries: 0, ...more }));
const retryWith = async (jobId: string, change: object) => {
  const { payload } = await getTurn(turns.db.sql, { ownerId, jobId });
  await turns.db.transaction(async (tx) =>
    redriveTurn(tx, { ownerId, jobId }, { payload: { ...(payload as object), ...change } }),
  );
};
const saidBy = async (threadId: string) =>
  (await getThread(turns.db.sql, { ownerId, threadId })).messages.map(({ content }) => content);

test("an edited turn runs again from its beginning, and the conversation shows the edited message", async () => {
  await start();
  const first = await submit("one");
  await turns.reaches(first.jobId, "completed");
  const { threadId } = first;
  const { jobId } = await submit("bad", { threadId });
  await turns.reaches(jobId, "failed");
  await retryWith(jobId, { content: "better", messageId: first.jobId });
  const { reply } = await turns.reaches(jobId, "completed");
  expect(reply).toBe("heard one, begun one, heard one, begun one, better, begun better");
  expect(begun).toEqual(["one", "bad", "better"]);
  expect(await saidBy(threadId)).toEqual(["one", "heard one, begun one", "better", reply]);
  const { messages } = await getThread(turns.db.sql, { ownerId, threadId });
  const question = messages.find((one) => one.jobId === jobId && one.role === "user");
  expect((await getTurn(turns.db.sql, { ownerId, jobId })).payload).toMatchObject({ messageId: question?.id });
  const next = await submit("next", { threadId });
  expect((await turns.reaches(next.jobId, "completed")).reply).not.toContain("bad");
});

test("an edited first turn of a thread runs again without its old state, and with the seed messages", async () => {
  await start();
  const { jobId } = await submit("bad", { history: [{ role: "assistant", content: "seed" }] });
  await turns.reaches(jobId, "failed");
  await retryWith(jobId, { content: "better" });
  expect((await turns.reaches(jobId, "completed")).reply).toBe("heard seed, better, begun better");
});

test("a turn that is redriven with its own payload resumes from its last checkpoint", async () => {
  await start();
  const { jobId } = await submit("flaky");
  await turns.reaches(jobId, "failed");
  await retryWith(jobId, {});
  expect((await turns.reaches(jobId, "completed")).reply).toBe("heard flaky, begun flaky");
  expect(begun).toEqual(["flaky"]);
});

test("an edited run that fails resumes from its last checkpoint, also after a manual retry", async () => {
  await start();
  const { jobId } = await submit("bad");
  await turns.reaches(jobId, "failed");
  await retryWith(jobId, { content: "flaky" });
  await turns.reaches(jobId, "failed");
  await turns.db.transaction(async (tx) => redriveTurn(tx, { ownerId, jobId }));
  expect((await turns.reaches(jobId, "completed")).reply).toBe("heard flaky, begun flaky");
  expect(begun).toEqual(["bad", "flaky"]);
});

test("a turn that waits for its retry runs at once with an edited payload", async () => {
  await start({ baseMs: 600_000, capMs: 600_000 });
  const { jobId } = await submit("bad", { maxRetries: 3 });
  await expect
    .poll(async () => (await getTurn(turns.db.sql, { ownerId, jobId })).hold, { timeout: 15_000 })
    .toBe("time");
  await retryWith(jobId, { content: "better" });
  expect((await turns.reaches(jobId, "completed")).reply).toBe("heard better, begun better");
});

test("the questions of the old run are dropped, and their answers answer no question of the new run", async () => {
  await start();
  const { jobId } = await submit("ask");
  const [first] = (await turns.reaches(jobId, "waiting")).interrupts;
  await turns.db.transaction(async (tx) => cancelTurn(tx, { ownerId, jobId }));
  await retryWith(jobId, { content: "ask again" });
  const [second, ...more] = (await turns.reaches(jobId, "waiting")).interrupts;
  expect([second?.value, more]).toEqual(["ask again", []]);
  expect(second?.id).not.toBe(first?.id);
  await turns.db.transaction(async (tx) => answer(tx, { ownerId, jobId, interruptId: second?.id, answers: "yes" }));
  expect((await turns.reaches(jobId, "completed")).reply).toBe("heard ask again, begun ask again, yes");
});

test("a job that is no turn gets the edited payload", async () => {
  const jobId = await turns.db.transaction(async (tx) => {
    const job = await enqueue(tx, { ownerId, jobType: "t", payload: { a: 1 } });
    await cancelTurn(tx, { ownerId, jobId: job.jobId });
    await redriveTurn(tx, { ownerId, jobId: job.jobId }, { payload: { b: 2 } });
    return job.jobId;
  });
  expect((await getTurn(turns.db.sql, { ownerId, jobId })).payload).toEqual({ b: 2 });
});
