import { NotFoundError } from "#queue";
import { setUpQueue } from "../../test/queue.ts";
import type { NewTurn } from "./new-turn.ts";
import { getDecisionSet, getDecisionVersion, getThread, listThreads } from "./read-threads.ts";
import { submitTurn } from "./submit-turn.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const submit = async (turn: Partial<NewTurn> = {}) =>
  queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello", ...turn }));

test("an owner's threads are listed by their last use, newest first", async () => {
  const [first, second] = [await submit({ content: "a" }), await submit({ content: "b" })];
  await submit({ ownerId: "other" });
  await submit({ threadId: first.threadId });
  const listed = await listThreads(queue.db.sql, { ownerId: queue.ownerId, limit: 5 });
  expect(listed.map((one) => one.threadId)).toEqual([first.threadId, second.threadId]);
  expect(await listThreads(queue.db.sql, { ownerId: queue.ownerId, limit: 1 })).toHaveLength(1);
});

test("a thread shows its messages and its jobs that have not completed, oldest first", async () => {
  const first = await submit({ content: "a" });
  const second = await submit({ threadId: first.threadId, content: "b" });
  const third = await submit({ threadId: first.threadId, content: "c" });
  await queue.finish(await queue.takeOne());
  const thread = await getThread(queue.db.sql, { ownerId: queue.ownerId, threadId: first.threadId });
  expect(thread.messages.map((one) => one.content)).toEqual(["a", "b", "c"]);
  expect(thread.jobs.map((one) => one.jobId)).toEqual([second.jobId, third.jobId]);
});

test("a page of messages has as many as its bytes allow, one at least, and the cursor of the older ones", async () => {
  const { threadId } = await submit({ content: "a" });
  await submit({ threadId, content: "b" });
  const key = { ownerId: queue.ownerId, threadId };
  const newest = await getThread(queue.db.sql, key, { maxBytes: 1 });
  expect(newest.messages.map((one) => one.content)).toEqual(["b"]);
  const older = await getThread(queue.db.sql, key, { maxBytes: 1, before: newest.olderCursor });
  expect(older.messages.map((one) => one.content)).toEqual(["a"]);
  expect(older.olderCursor).toBeNull();
});

test("another owner's thread, decision set and version are not found", async () => {
  const { threadId, decisionSetId } = await submit({ ownerId: "other" });
  const ownerId = queue.ownerId;
  await expect(getThread(queue.db.sql, { ownerId, threadId })).rejects.toThrow(NotFoundError);
  await expect(getDecisionSet(queue.db.sql, { ownerId, decisionSetId })).rejects.toThrow(NotFoundError);
  await expect(getDecisionVersion(queue.db.sql, { ownerId, decisionSetId, version: 1 })).rejects.toThrow(NotFoundError);
});

test("a decision set without a version has no latest", async () => {
  const { decisionSetId } = await submit();
  const set = await getDecisionSet(queue.db.sql, { ownerId: queue.ownerId, decisionSetId });
  expect(set).toMatchObject({ currentVersion: 0, latest: null });
});
