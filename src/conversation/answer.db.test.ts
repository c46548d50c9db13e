import { InvalidAnswerError, JobConflictError, NotFoundError } from "#queue";
import { park } from "#queue/settle";
import { setUpQueue } from "../../test/queue.ts";
import { answer } from "./answer.ts";
import { cancelTurn } from "./cancel-turn.ts";
import { readAnswers } from "./read-answers.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
/** Adds a job that asks two questions. */
const asking = async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  const question = (id: string) => ({
    id,
    kind: "question",
    value: null,
    schema: null,
    deadlineMs: null,
  });
  await queue.inTx(async (tx) => park(tx, job, [question("a"), question("b")]));
  return jobId;
};
const reply = async (jobId: string, answers: unknown, interruptId?: string) =>
  queue.inTx(async (tx) => answer(tx, { ...queue.keyOf(jobId), interruptId, answers }));
const answersOf = async (jobId: string) => Object.fromEntries(await readAnswers(queue.db.sql, jobId));

test("an answer queues its waiting job, and a second one counts while the job runs", async () => {
  const jobId = await asking();
  expect(await reply(jobId, "x", "a")).toBe("queued");
  expect(await queue.takeOne()).toMatchObject({ jobId, attempt: 2 });
  expect(await reply(jobId, "y", "b")).toBe("running");
  expect(await answersOf(jobId)).toEqual({ a: "x", b: "y" });
});

test("several answers count together or not at all", async () => {
  const jobId = await asking();
  await expect(reply(jobId, { a: "x", nowhere: "y" })).rejects.toThrow(NotFoundError);
  expect(await answersOf(jobId)).toEqual({});
  expect(await reply(jobId, { a: "x", b: "y" })).toBe("queued");
  expect(await answersOf(jobId)).toEqual({ a: "x", b: "y" });
});

test("a second answer to one question is refused, and the first stays", async () => {
  const jobId = await asking();
  await reply(jobId, "x", "a");
  await expect(reply(jobId, "y", "a")).rejects.toThrow(JobConflictError);
  expect(await answersOf(jobId)).toEqual({ a: "x" });
});

test("an unknown question and another owner's job are not found", async () => {
  const jobId = await asking();
  await expect(reply(jobId, "x", "nowhere")).rejects.toThrow(NotFoundError);
  const stranger = { ownerId: "other", jobId, interruptId: "a", answers: "x" };
  await expect(queue.inTx(async (tx) => answer(tx, stranger))).rejects.toThrow(NotFoundError);
});

test("a job that has ended takes no answer", async () => {
  const jobId = await asking();
  await queue.inTx(async (tx) => cancelTurn(tx, queue.keyOf(jobId)));
  await expect(reply(jobId, "x", "a")).rejects.toThrow(/has ended as cancelled/);
});

test.each<[string, unknown]>([
  ["a text", "x"],
  ["a list", ["x"]],
  ["an empty object", {}],
])("without an interrupt id, %s is no answer", async (_name, answers) => {
  const jobId = await asking();
  await expect(reply(jobId, answers)).rejects.toThrow(InvalidAnswerError);
});
