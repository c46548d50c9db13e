import { answer, getThread, submitTurn, cancelTurn, getTurn } from "#conversation";
import { InvalidAnswerError, JobConflictError } from "#queue";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { loadGraphs } from "#graph";
import type { LoadedGraph } from "#graph";
import type { Interrupt } from "#shared/interrupts";
import { notes } from "../../../test/graphs/questions.ts";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openTurns } from "../../../test/turns.ts";
import { graphJob } from "./graph-job.ts";

const ownerId = "local";
let graphs: LoadedGraph[];
let turns: Awaited<ReturnType<typeof openTurns>>;

beforeAll(async () => {
  turns = await openTurns();
  ({ graphs } = await loadGraphs("test/graphs/langgraph.json"));
});
beforeEach(async () => {
  notes.length = 0;
  await turns.clear();
  await offerGraphs(
    turns.db.sql,
    graphs.map(({ name }) => name),
  );
});
afterEach(async () => turns.stopWorkers());
afterAll(async () => turns.close());

const handlers = () => graphs.map((graph) => graphJob(graph, turns.options));
const submit = async (graph: string, content = "hello") =>
  turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content, graph }));
const reply = async (jobId: string, interruptId: string | undefined, answers: unknown) =>
  turns.db.transaction(async (tx) => answer(tx, { ownerId, jobId, interruptId, answers }));
/** Waits until the job asks exactly this many questions. */
const asks = async (jobId: string, count: number): Promise<Interrupt[]> => {
  await expect
    .poll(
      async () => {
        const job = await getTurn(turns.db.sql, { ownerId, jobId });
        return [job.status, job.interrupts.length];
      },
      { timeout: 15_000, interval: 20 },
    )
    .toEqual(["waiting", count]);
  return (await getTurn(turns.db.sql, { ownerId, jobId })).interrupts;
};

test("a question parks its job without a worker or a lease; a valid answer resumes it, up to the next question", async () => {
  const worker = await turns.startWorker(handlers());
  const { jobId, threadId } = await submit("twice");
  const [colour] = await asks(jobId, 1);
  expect(colour).toMatchObject({ kind: "choice", value: { message: "Which colour?" }, deadlineAt: null });
  expect(colour?.schema).toMatchObject({ enum: ["red", "blue"] });
  expect(await getTurn(turns.db.sql, { ownerId, jobId })).toMatchObject({
    workerId: null,
    leaseExpiresAt: null,
    retryCount: 0,
    attempts: [{ attempt: 1, outcome: "waiting" }],
  });
  await expect(reply(jobId, colour?.id, "green")).rejects.toThrow(InvalidAnswerError);
  await reply(jobId, colour?.id, "red");
  const [size] = await asks(jobId, 1);
  expect(size).toMatchObject({ kind: "size" });
  expect(size?.id).not.toBe(colour?.id);
  await expect(reply(jobId, size?.id, "big")).rejects.toThrow(/answers must be integer/);
  await expect(reply(jobId, colour?.id, "blue")).rejects.toThrow(/answered already/);
  await reply(jobId, size?.id, 3);
  const job = await turns.reaches(jobId, "completed");
  expect(job.reply).toBe("start red 3");
  expect(job).toMatchObject({ retryCount: 0, attempt: 3, interrupts: [], interrupt: null });
  expect(job.events.map((event) => event.type)).toEqual(expect.arrayContaining(["waiting", "answered"]));
  expect(notes.filter((one) => one === "start")).toHaveLength(1);
  await expect(reply(jobId, size?.id, 4)).rejects.toThrow(JobConflictError);
  expect((await getThread(turns.db.sql, { ownerId, threadId })).messages).toHaveLength(2);
  await worker.stop();
});

test("a retry of an attempt that died after it took an answer does not give it to the next question", async () => {
  const { jobId } = await submit("twice");
  const first = await turns.startWorker(handlers());
  const [colour] = await asks(jobId, 1);
  await first.stop();
  await reply(jobId, colour?.id, "blue");
  // The run takes the answer and asks the next question; its process dies before the job is parked.
  const dying = await turns.startWorker(handlers().map((handler) => turns.dieAtEnd(handler)));
  await turns.died();
  await turns.takeLeases();
  await dying.stop(0);
  await turns.startWorker(handlers());
  const [size] = await asks(jobId, 1);
  expect(size?.kind).toBe("size");
  await reply(jobId, size?.id, 2);
  expect((await turns.reaches(jobId, "completed")).reply).toBe("start blue 2");
});

test("several questions are answered one by one, in any order, also within a subgraph", async () => {
  await turns.startWorker(handlers());
  const { jobId } = await submit("at-once");
  const asked = await asks(jobId, 2);
  const right = asked.find((one) => one.value === "right?");
  const left = asked.find((one) => one.value === "left?");
  await reply(jobId, right?.id, "R");
  expect((await asks(jobId, 1))[0]?.id).toBe(left?.id);
  await reply(jobId, left?.id, "L");
  expect((await turns.reaches(jobId, "completed")).reply).toBe("left=L right=R");
});

test("several questions are answered together, all or none", async () => {
  await turns.startWorker(handlers());
  const { jobId } = await submit("at-once");
  const [one, two] = await asks(jobId, 2);
  await expect(reply(jobId, undefined, { [one?.id ?? ""]: 1, unknown: 2 })).rejects.toThrow(/"unknown" not found/);
  await expect(reply(jobId, undefined, [])).rejects.toThrow(/answers must be an object/);
  expect(await asks(jobId, 2)).toHaveLength(2);
  const answers = { [one?.id ?? ""]: String(one?.value).slice(0, 1), [two?.id ?? ""]: String(two?.value).slice(0, 1) };
  await reply(jobId, undefined, answers);
  expect((await turns.reaches(jobId, "completed")).reply).toBe("left=l right=r");
  expect(notes).toHaveLength(2);
});

test("of two people who answer at once, the second gets a conflict", async () => {
  await turns.startWorker(handlers());
  const { jobId } = await submit("twice");
  const [colour] = await asks(jobId, 1);
  const both = await Promise.allSettled([reply(jobId, colour?.id, "red"), reply(jobId, colour?.id, "blue")]);
  expect(both.map((one) => one.status).toSorted()).toEqual(["fulfilled", "rejected"]);
  await asks(jobId, 1);
});

test("a question without an answer by its deadline gets its default or fails its job", async () => {
  await turns.startWorker(handlers());
  const mild = await submit("hurried");
  const strict = await submit("hurried", "strict");
  expect((await turns.reaches(mild.jobId, "completed")).reply).toBe("said null");
  const failed = await turns.reaches(strict.jobId, "failed");
  expect(failed.error).toMatch(/^Nobody answered the approval before its deadline, \d{4}-\d\d-\d\d/);
  expect(failed.interrupts).toEqual([]);
});

test("a waiting job blocks the next job of its thread until it is cancelled", async () => {
  await turns.startWorker(handlers());
  const first = await submit("twice");
  const second = await turns.db.transaction(async (tx) =>
    submitTurn(tx, { ownerId, content: "next", graph: "echo", threadId: first.threadId }),
  );
  const [colour] = await asks(first.jobId, 1);
  expect(await getTurn(turns.db.sql, { ownerId, jobId: second.jobId })).toMatchObject({
    status: "queued",
    hold: "thread",
  });
  await turns.db.transaction(async (tx) => cancelTurn(tx, { ownerId, jobId: first.jobId }));
  await turns.reaches(second.jobId, "completed");
  await expect(reply(first.jobId, colour?.id, "red")).rejects.toThrow(/has ended as cancelled/);
});
