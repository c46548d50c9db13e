import { complete } from "#queue/settle";
import { setUpQueue } from "../../test/queue.ts";
import { placeAt, placeAtEnd, readPast } from "./branch.ts";
import type { NewTurn } from "./new-turn.ts";
import { recordTurn } from "./record-turn.ts";
import { submitTurn } from "./submit-turn.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const submit = async (turn: Partial<NewTurn> = {}) =>
  queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello", ...turn }));
/** Runs the next turn to a reply, which ends at a checkpoint named after it. */
const reply = async (content: string) => {
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => {
    await complete(tx, job);
    await recordTurn(tx, job, {
      decisionSetId: job.decisionSetId ?? "",
      reply: content,
      checkpointId: `after ${content}`,
      version: null,
    });
  });
};
const idOf = async (content: string) => {
  const [row] = await queue.db.sql<{ id: string }[]>`select id from messages where content = ${content}`;
  return row?.id ?? "";
};
/** A thread of two turns: a, A, b, B. */
const converse = async () => {
  const { threadId, decisionSetId } = await submit({ content: "a" });
  await reply("A");
  await submit({ threadId, content: "b" });
  await reply("B");
  return decisionSetId;
};

test("a turn at the end of a thread begins where the last turn ended", async () => {
  const set = await converse();
  const lastId = await idOf("B");
  expect(await queue.inTx(async (tx) => placeAtEnd(tx, set))).toEqual({ parentId: lastId });
});

test("a turn after a reply begins at the reply's checkpoint", async () => {
  const set = await converse();
  const id = await idOf("A");
  expect(await queue.inTx(async (tx) => placeAt(tx, set, id))).toEqual({
    parentId: id,
    branch: { checkpointId: "after A" },
  });
});

test("a turn in place of a message begins at the checkpoint before it, or without a past", async () => {
  const set = await converse();
  const [a, reply1, b] = [await idOf("a"), await idOf("A"), await idOf("b")];
  const place = async (id: string) => queue.inTx(async (tx) => placeAt(tx, set, id));
  expect(await place(b)).toEqual({ parentId: reply1, branch: { checkpointId: "after A" } });
  expect(await place(a)).toEqual({ parentId: null, branch: { checkpointId: null } });
});

test("a message's past is its branch alone, oldest first", async () => {
  await converse();
  const [thread] = await queue.db.sql<{ thread_id: string }[]>`select thread_id from decision_sets`;
  await submit({ threadId: thread?.thread_id, parentId: await idOf("b"), content: "c" });
  const id = await idOf("c");
  const past = await queue.inTx(async (tx) => readPast(tx, id));
  expect(past.map((one) => one.content)).toEqual(["a", "A"]);
});
