import { JobConflictError } from "#queue";
import { setUpQueue } from "../../test/queue.ts";
import { cancelTurn } from "./cancel-turn.ts";
import type { NewTurn } from "./new-turn.ts";
import { submitTurn } from "./submit-turn.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const submit = async (turn: Partial<NewTurn> = {}) =>
  queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello", ...turn }));
const parentOf = async (jobId: string) => {
  const [row] = await queue.db.sql<
    { parent_id: string | null }[]
  >`select parent_id from messages where job_id = ${jobId}`;
  return row?.parent_id;
};

test("enqueue leaves the thread's jobs alone", async () => {
  const { jobId, threadId } = await submit();
  await submit({ threadId, multitaskStrategy: "enqueue" });
  expect(await queue.statusOf(jobId)).toBe("queued");
});

test("reject refuses a message for a busy thread, and takes one for an idle thread", async () => {
  const { jobId, threadId } = await submit();
  await expect(submit({ threadId, multitaskStrategy: "reject" })).rejects.toThrow(JobConflictError);
  expect(await queue.db.sql`select 1 from messages`).toHaveLength(1);
  await queue.inTx(async (tx) => cancelTurn(tx, queue.keyOf(jobId)));
  expect(await submit({ threadId, multitaskStrategy: "reject" })).toMatchObject({ status: "queued" });
});

test("interrupt cancels the thread's unfinished jobs, and the message follows theirs", async () => {
  const first = await submit();
  const second = await submit({ threadId: first.threadId });
  const last = await submit({ threadId: first.threadId, multitaskStrategy: "interrupt" });
  expect([await queue.statusOf(first.jobId), await queue.statusOf(second.jobId)]).toEqual(["cancelled", "cancelled"]);
  expect(await parentOf(last.jobId)).not.toBeNull();
  expect(await queue.takeIds()).toEqual([last.jobId]);
});

test("rollback cancels the thread's unfinished jobs, and the message takes the place of theirs", async () => {
  const first = await submit();
  await submit({ threadId: first.threadId });
  const last = await submit({ threadId: first.threadId, multitaskStrategy: "rollback" });
  expect(await parentOf(last.jobId)).toBeNull();
  expect(await queue.takeIds()).toEqual([last.jobId]);
});
