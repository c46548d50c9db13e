import { complete } from "#queue/settle";
import { setUpQueue } from "../../test/queue.ts";
import { getTurnStatus } from "./get-turn.ts";
import type { NewTurn } from "./new-turn.ts";
import { getDecisionSet, getDecisionVersion, getThread } from "./read-threads.ts";
import { recordTurn } from "./record-turn.ts";
import { submitTurn } from "./submit-turn.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const submit = async (turn: Partial<NewTurn> = {}) =>
  queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello", ...turn }));
const version = (rationale: string) => ({
  requirements: {},
  plan: { rationale },
  alternatives: [],
  costs: null,
  risks: [],
  policy: null,
  rationale,
  diff: null,
});
const finish = async (reply: string, decided: ReturnType<typeof version> | null = null) => {
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => {
    await complete(tx, job);
    await recordTurn(tx, job, { decisionSetId: job.decisionSetId ?? "", reply, checkpointId: null, version: decided });
  });
};

test("a turn's reply follows its message, and its job's status shows the reply", async () => {
  const { jobId, threadId } = await submit();
  await finish("hi");
  expect(await getTurnStatus(queue.db.sql, queue.keyOf(jobId))).toMatchObject({ status: "completed", reply: "hi" });
  const { messages } = await getThread(queue.db.sql, { ownerId: queue.ownerId, threadId });
  const [asked, replied] = messages;
  expect(replied).toMatchObject({ role: "assistant", content: "hi", parentId: asked?.id, jobId });
});

test("a message that was sent before the reply follows it afterwards", async () => {
  const { threadId } = await submit();
  await submit({ threadId, content: "more" });
  await finish("hi");
  const { messages } = await getThread(queue.db.sql, { ownerId: queue.ownerId, threadId });
  const parentOf = (content: string) => messages.find((one) => one.content === content)?.parentId;
  expect(parentOf("more")).toBe(messages.find((one) => one.content === "hi")?.id);
});

test("decision versions are numbered from 1, and a turn without one leaves the newest as it is", async () => {
  const { threadId, decisionSetId } = await submit();
  await finish("one", version("first"));
  await submit({ threadId });
  await finish("two", version("second"));
  await submit({ threadId });
  await finish("three");
  const key = { ownerId: queue.ownerId, decisionSetId };
  expect(await getDecisionSet(queue.db.sql, key)).toMatchObject({ currentVersion: 2, latest: { rationale: "second" } });
  expect(await getDecisionVersion(queue.db.sql, { ...key, version: 1 })).toMatchObject({
    version: 1,
    rationale: "first",
  });
});
