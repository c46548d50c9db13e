import { InvalidJobError } from "#queue";
import { park } from "#queue/settle";
import { setUpQueue } from "../../test/queue.ts";
import { cancelTurn } from "./cancel-turn.ts";
import type { NewTurn } from "./new-turn.ts";
import { redriveTurn } from "./redrive-turn.ts";
import { submitTurn } from "./submit-turn.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const submit = async (turn: Partial<NewTurn> = {}) =>
  queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello", ...turn }));
const again = async (jobId: string, edit: { payload?: unknown } = {}) =>
  queue.inTx(async (tx) => redriveTurn(tx, queue.keyOf(jobId), edit));
const payloadOf = async (jobId: string) => (await queue.read(jobId)).payload as Record<string, unknown>;

test("a failed turn keeps its message, and no longer counts as the first of a fresh thread", async () => {
  const { jobId } = await submit();
  await queue.failOne(await queue.takeOne(), true);
  expect(await payloadOf(jobId)).toMatchObject({ content: "hello", freshThread: true });
  await again(jobId);
  expect(await payloadOf(jobId)).toMatchObject({ content: "hello" });
  expect(await payloadOf(jobId)).not.toHaveProperty("freshThread");
});

test("an edited turn shows the new message, starts a new run and drops its questions", async () => {
  const { jobId } = await submit();
  const job = await queue.takeOne();
  const question = { id: "q", kind: "approval", value: null, schema: null, deadlineMs: null };
  await queue.inTx(async (tx) => park(tx, job, [question]));
  await queue.inTx(async (tx) => cancelTurn(tx, queue.keyOf(jobId)));
  await again(jobId, { payload: { content: "edited" } });
  expect(await payloadOf(jobId)).toMatchObject({
    content: "edited",
    branch: { checkpointId: null },
    runId: expect.any(String) as string,
  });
  expect(await queue.db.sql`select content from messages`).toEqual([{ content: "edited" }]);
  expect(await queue.db.sql`select 1 from job_interrupts`).toHaveLength(0);
});

test("the same payload again is no edit", async () => {
  const { jobId } = await submit();
  await queue.failOne(await queue.takeOne(), true);
  await again(jobId, { payload: await payloadOf(jobId) });
  expect(await payloadOf(jobId)).not.toHaveProperty("runId");
});

test.each<[string, unknown]>([
  ["without content", { text: "x" }],
  ["with empty content", { content: "" }],
  ["that is no object", "hello"],
])("a turn's payload %s is refused, and the turn stays as it was", async (_name, payload) => {
  const { jobId } = await submit();
  await queue.failOne(await queue.takeOne(), true);
  await expect(again(jobId, { payload })).rejects.toThrow(InvalidJobError);
  expect(await queue.read(jobId)).toMatchObject({ status: "failed", payload: { content: "hello" } });
});

test("a job that is no turn takes any payload", async () => {
  const { jobId } = await queue.add();
  await queue.failOne(await queue.takeOne(), true);
  await again(jobId, { payload: { edited: true } });
  expect(await payloadOf(jobId)).toEqual({ edited: true });
});

test("an edited turn that never ran no longer counts as the first of a fresh thread", async () => {
  const { jobId, threadId } = await submit();
  await queue.inTx(async (tx) => cancelTurn(tx, queue.keyOf(jobId)));
  await submit({ threadId });
  await queue.finish(await queue.takeOne());
  await again(jobId, { payload: { ...(await payloadOf(jobId)), content: "edited" } });
  expect(await payloadOf(jobId)).toMatchObject({ content: "edited" });
  expect(await payloadOf(jobId)).not.toHaveProperty("freshThread");
});
