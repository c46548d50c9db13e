import { answer, getThread, submitTurn, cancelTurn, redriveTurn } from "#conversation";
import { JobConflictError } from "#queue";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { loadGraphs } from "#graph";
import type { JobHandler } from "#worker";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openTurns } from "../../../test/turns.ts";
import { graphJob } from "./graph-job.ts";

const ownerId = "local";
let turns: Awaited<ReturnType<typeof openTurns>>;
let handlers: JobHandler[];

beforeAll(async () => {
  turns = await openTurns();
  const { graphs } = await loadGraphs("test/graphs/langgraph.json");
  handlers = graphs.map((graph) => graphJob(graph, turns.options));
});
beforeEach(async () => {
  await turns.clear();
  await offerGraphs(turns.db.sql, ["twice", "at-once", "echo"]);
});
afterEach(async () => turns.stopWorkers());
afterAll(async () => turns.close());

type Turn = Partial<Parameters<typeof submitTurn>[1]>;
const submit = async (content: string, turn: Turn = {}) =>
  turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content, ...turn }));
const chat = async (content: string, turn: Turn = {}) =>
  turns.reaches((await submit(content, turn)).jobId, "completed");
const asks = async (jobId: string, kind: string) => {
  const job = await turns.reaches(jobId, "waiting");
  const found = job.interrupts.find((one) => one.kind === kind);
  if (!found) throw new Error(`it does not ask ${kind}`);
  return found;
};
const reply = async (jobId: string, interruptId: string, answers: unknown) =>
  turns.db.transaction(async (tx) => answer(tx, { ownerId, jobId, interruptId, answers }));
const echoOnly = () => handlers.filter(({ type }) => type === "graph:echo");
/** A turn that stores its message in the graph's state and then fails for good. */
const fails = (handler: JobHandler): JobHandler => ({
  ...handler,
  async run(context) {
    await handler.run(context);
    throw Object.assign(new Error("no"), { name: "PermanentError" });
  },
});

test.each([
  ["interrupt", "start start red 3"],
  ["rollback", "start red 3"],
] as const)(
  "%s: a job that waits for a person is cancelled, and the next turn asks again despite earlier answers",
  async (multitaskStrategy, said) => {
    await turns.startWorker(handlers);
    const first = await submit("one", { graph: "twice" });
    const colour = await asks(first.jobId, "choice");
    await reply(first.jobId, colour.id, "blue");
    await expect.poll(async () => (await turns.reaches(first.jobId, "waiting")).interrupts[0]?.kind).toBe("size");
    const size = await asks(first.jobId, "size");
    const next = await submit("two", { threadId: first.threadId, multitaskStrategy });
    await turns.reaches(first.jobId, "cancelled");
    await expect(reply(first.jobId, size.id, 1)).rejects.toThrow(JobConflictError);
    const again = await asks(next.jobId, "choice");
    expect(again.id).not.toBe(colour.id);
    await reply(next.jobId, again.id, "red");
    await expect.poll(async () => (await turns.reaches(next.jobId, "waiting")).interrupts[0]?.kind).toBe("size");
    await reply(next.jobId, (await asks(next.jobId, "size")).id, 3);
    expect((await turns.reaches(next.jobId, "completed")).reply).toBe(said);
  },
);

test("a job that waits within a subgraph can be interrupted too", async () => {
  await turns.startWorker(handlers);
  const first = await submit("one", { graph: "at-once" });
  const old = (await turns.reaches(first.jobId, "waiting")).interrupts.map(({ id }) => id);
  const next = await submit("two", { threadId: first.threadId, multitaskStrategy: "interrupt" });
  const asked = (await turns.reaches(next.jobId, "waiting")).interrupts;
  expect(asked).toHaveLength(2);
  for (const { id } of asked) expect(old).not.toContain(id);
  const answers = Object.fromEntries(asked.map(({ id, value }) => [id, String(value).toUpperCase()]));
  await turns.db.transaction(async (tx) => answer(tx, { ownerId, jobId: next.jobId, answers }));
  expect((await turns.reaches(next.jobId, "completed")).reply).toBe("left=LEFT? right=RIGHT?");
});

test("a failed turn that is retried after later turns begins at its own place in the thread", async () => {
  const [echo] = echoOnly();
  if (!echo) throw new Error("no echo");
  await turns.startWorker([echo]);
  const { jobId, threadId } = await submit("one", { graph: "echo" });
  await turns.reaches(jobId, "completed");
  await turns.stopWorkers();
  await turns.startWorker([fails(echo)]);
  const failed = await submit("two", { threadId, maxRetries: 0 });
  await turns.reaches(failed.jobId, "failed");
  await turns.stopWorkers();
  await turns.startWorker([echo]);
  const last = await chat("three", { threadId });
  expect(last.reply).toContain("three");
  await turns.db.transaction(async (tx) => redriveTurn(tx, { ownerId, jobId: failed.jobId }));
  // The turn's message comes last, and once.
  expect((await turns.reaches(failed.jobId, "completed")).reply).toBe("heard: one | heard: one | two");
  const { messages } = await getThread(turns.db.sql, { ownerId, threadId });
  const question = messages.find(({ content }) => content === "two");
  expect(messages.find((one) => one.jobId === failed.jobId && one.role === "assistant")?.parentId).toBe(question?.id);
});

test("a message after an edit that was cancelled before its run follows the edit's past", async () => {
  await turns.startWorker(echoOnly());
  const { threadId } = await submit("one", { graph: "echo" });
  const two = await chat("two", { threadId });
  await turns.stopWorkers();
  const { messages } = await getThread(turns.db.sql, { ownerId, threadId });
  const asked = messages.find(({ jobId, role }) => jobId === two.jobId && role === "user");
  const edit = await submit("zwei", { threadId, parentId: asked?.id });
  const after = await submit("drei", { threadId });
  await turns.db.transaction(async (tx) => cancelTurn(tx, { ownerId, jobId: edit.jobId }));
  await turns.startWorker(echoOnly());
  expect((await turns.reaches(after.jobId, "completed")).reply).not.toContain("two");
});

test("a thread's first turn that was cancelled before its run and is redriven later knows the conversation", async () => {
  const first = await submit("one", { graph: "echo" });
  const { threadId } = first;
  const second = await submit("two", { threadId });
  await turns.db.transaction(async (tx) => cancelTurn(tx, { ownerId, jobId: first.jobId }));
  await turns.db.transaction(async (tx) => redriveTurn(tx, { ownerId, jobId: first.jobId }));
  await turns.startWorker(echoOnly());
  await turns.reaches(second.jobId, "completed");
  expect((await turns.reaches(first.jobId, "completed")).attempt).toBe(1);
  expect((await chat("three", { threadId })).reply).toMatch(/two.*one.*three/);
});
