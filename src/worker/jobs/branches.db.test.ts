import { getThread, submitTurn, cancelTurn } from "#conversation";
import { InvalidJobError, JobConflictError } from "#queue";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { loadGraphs } from "#graph";
import type { JobHandler } from "#worker";
import { deferred } from "../../../test/deferred.ts";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openTurns } from "../../../test/turns.ts";
import { defineJob } from "../define-job.ts";
import { graphJob } from "./graph-job.ts";

const ownerId = "local";
let echo: JobHandler;
let turns: Awaited<ReturnType<typeof openTurns>>;

beforeAll(async () => {
  turns = await openTurns();
  const { graphs } = await loadGraphs("test/graphs/langgraph.json");
  const graph = graphs.find(({ name }) => name === "echo");
  if (!graph) throw new Error("no echo");
  echo = graphJob(graph, turns.options);
});
beforeEach(async () => {
  await turns.clear();
  await offerGraphs(turns.db.sql, ["echo"]);
});
afterEach(async () => turns.stopWorkers());
afterAll(async () => turns.close());

type Turn = Partial<Parameters<typeof submitTurn>[1]>;
const submit = async (content: string, turn: Turn = {}) =>
  turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content, graph: "echo", ...turn }));
const chat = async (content: string, turn: Turn = {}) => {
  const submitted = await submit(content, turn);
  return { ...submitted, reply: (await turns.reaches(submitted.jobId, "completed")).reply };
};
const messages = async (threadId: string) => (await getThread(turns.db.sql, { ownerId, threadId })).messages;
const find = async (threadId: string, content: string) => {
  const found = (await messages(threadId)).find((message) => message.content === content);
  if (!found) throw new Error(`no message ${content}`);
  return found;
};

test("an edited message resumes from the checkpoint before it; both branches stay and can be continued", async () => {
  await turns.startWorker([echo]);
  const { threadId } = await chat("one");
  await chat("two", { threadId });
  const two = await find(threadId, "two");
  const edited = await chat("zwei", { threadId, parentId: two.id });
  expect(edited.reply).toBe("heard: one | heard: one | zwei");
  expect((await find(threadId, "zwei")).parentId).toBe(two.parentId);
  expect((await chat("drei", { threadId })).reply).toBe(
    "heard: one | heard: one | zwei | heard: one | heard: one | zwei | drei",
  );
  // Continues the older branch after its last reply.
  const reply = (await messages(threadId)).find((message) => message.parentId === two.id);
  expect((await chat("three", { threadId, parentId: reply?.id })).reply).toBe(
    "heard: one | heard: one | two | heard: one | heard: one | two | three",
  );
  expect(await messages(threadId)).toHaveLength(10);
});

test("the first message can be edited: the branch begins without a past", async () => {
  await turns.startWorker([echo]);
  const { threadId } = await chat("one");
  const first = await find(threadId, "one");
  expect((await chat("eins", { threadId, parentId: first.id })).reply).toBe("heard: eins");
  expect((await chat("zwei", { threadId })).reply).toBe("heard: eins | heard: eins | zwei");
});

test("without its checkpoint, a branch gets its past from the messages", async () => {
  await turns.startWorker([echo]);
  const { threadId } = await chat("one", {
    history: [
      { role: "system", content: "be kind" },
      { role: "assistant", content: "hi" },
    ],
  });
  await chat("two", { threadId });
  await turns.db
    .sql`delete from langgraph.checkpoints where checkpoint_id = (select checkpoint_id from messages where content like 'heard: be kind | hi | one')`;
  const two = await find(threadId, "two");
  expect((await chat("zwei", { threadId, parentId: two.id })).reply).toBe(
    "heard: be kind | hi | one | heard: be kind | hi | one | zwei",
  );
});

test("a retried branch begins once", async () => {
  await turns.startWorker([echo]);
  const { threadId } = await chat("one");
  const first = await find(threadId, "one");
  await turns.stopWorkers();
  const { jobId } = await submit("eins", { threadId, parentId: first.id });
  await turns.startWorker([turns.dieAtEnd(echo)]);
  await turns.died();
  await turns.takeLeases();
  await turns.stopWorkers();
  await turns.startWorker([echo]);
  expect((await turns.reaches(jobId, "completed")).reply).toBe("heard: eins");
  const roots = await turns.db.sql`select 1 from langgraph.checkpoints where metadata like '%"source":"input"%'`;
  expect(roots).toHaveLength(2);
});

test("messages sent before a reply follow the reply once it is written", async () => {
  const { threadId } = await submit("one");
  const { jobId } = await submit("two", { threadId });
  await turns.startWorker([echo]);
  await turns.reaches(jobId, "completed");
  const [one, two, first, second] = await messages(threadId);
  expect([one?.parentId, first?.parentId, two?.parentId, second?.parentId]).toEqual([
    null,
    one?.id,
    first?.id,
    two?.id,
  ]);
});

test("a message of another thread cannot be a parent", async () => {
  await turns.startWorker([echo]);
  const a = await chat("one");
  const b = await chat("two");
  const two = await find(b.threadId, "two");
  await expect(submit("x", { threadId: a.threadId, parentId: two.id })).rejects.toThrow(InvalidJobError);
});

/** A chat turn that reports its start, stores one step of the graph, and runs until it is stopped. */
function stuck() {
  const started = deferred();
  const handler = defineJob({
    type: echo.type,
    payload: { safeParse: (data: unknown) => ({ success: true, data }) } as never,
    async run(context) {
      await echo.run(context as never);
      started.resolve();
      await new Promise((_resolve, reject) => {
        context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
      });
    },
  });
  return { handler, started: started.promise };
}

test("reject: a busy thread refuses a message, and nothing is stored", async () => {
  const { threadId, jobId } = await submit("one");
  await expect(submit("two", { threadId, multitaskStrategy: "reject" })).rejects.toThrow(JobConflictError);
  await expect(submit("two", { threadId, multitaskStrategy: "reject" })).rejects.toThrow(
    new RegExp(`busy with job ${jobId}`),
  );
  expect(await messages(threadId)).toHaveLength(1);
  await turns.startWorker([echo]);
  await turns.reaches(jobId, "completed");
  expect((await chat("two", { threadId, multitaskStrategy: "reject" })).reply).toContain("two");
});

test("interrupt: the run is stopped, and the next turn resumes from its last checkpoint", async () => {
  const { handler, started } = stuck();
  const worker = await turns.startWorker([handler]);
  const first = await submit("one");
  const queued = await submit("two", { threadId: first.threadId });
  await started;
  const { jobId } = await submit("three", { threadId: first.threadId, multitaskStrategy: "interrupt" });
  await turns.reaches(first.jobId, "cancelled");
  await turns.reaches(queued.jobId, "cancelled");
  await worker.stop(0);
  await turns.startWorker([echo]);
  expect((await turns.reaches(jobId, "completed")).reply).toBe("heard: one | heard: one | three");
});

test("rollback: the run is stopped, and its message and checkpoints are no part of the conversation", async () => {
  await turns.startWorker([echo]);
  const { threadId } = await chat("one");
  await turns.stopWorkers();
  const { handler, started } = stuck();
  const worker = await turns.startWorker([handler]);
  const stopped = await submit("two", { threadId });
  await started;
  const { jobId } = await submit("three", { threadId, multitaskStrategy: "rollback" });
  await turns.reaches(stopped.jobId, "cancelled");
  await worker.stop(0);
  await turns.startWorker([echo]);
  expect((await turns.reaches(jobId, "completed")).reply).toBe("heard: one | heard: one | three");
});

test("a rollback that is cancelled before its run leaves the next message in its place", async () => {
  await turns.startWorker([echo]);
  const { threadId } = await chat("one");
  await chat("two", { threadId });
  await turns.stopWorkers();
  const two = await find(threadId, "two");
  const edited = await submit("zwei", { threadId, parentId: two.id });
  await turns.db.transaction(async (tx) => cancelTurn(tx, { ownerId, jobId: edited.jobId }));
  await turns.startWorker([echo]);
  expect((await chat("three", { threadId })).reply).toBe("heard: one | heard: one | three");
});
