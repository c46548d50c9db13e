import { JobConflictError, NotFoundError } from "#queue";
import { complete, fail } from "#queue/settle";
import { AT_ONCE, BOOM, setUpQueue } from "../../test/queue.ts";
import type { NewTurn } from "./new-turn.ts";
import { getThread } from "./read-threads.ts";
import { submitTurn } from "./submit-turn.ts";
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";

const queue = setUpQueue();
const submit = async (turn: Partial<NewTurn> = {}) =>
  queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello", ...turn }));
const messages = async () =>
  queue.db.sql<{ id: string; parent_id: string | null; content: string; job_id: string | null }[]>`
    select id, parent_id, content, job_id from messages order by seq`;

test("a turn stores a thread, a message and a job that are found together", async () => {
  const { jobId, threadId, decisionSetId } = await submit({ content: "design", priority: 3 });
  expect(await queue.takeOne()).toMatchObject({ jobId, threadId, decisionSetId, jobType: "ml_workflow", priority: 3 });
  expect(await messages()).toMatchObject([{ parent_id: null, content: "design", job_id: jobId }]);
  expect(await getThread(queue.db.sql, { ownerId: queue.ownerId, threadId })).toMatchObject({ title: "design" });
});

test("a later turn of a thread follows the newest message", async () => {
  const { threadId } = await submit();
  await submit({ threadId, content: "more" });
  const [first, second] = await messages();
  expect(second).toMatchObject({ content: "more", parent_id: first?.id });
});

test("history seeds a new thread before the message, and is ignored in a thread that exists", async () => {
  const history = [
    { role: "user" as const, content: "a" },
    { role: "assistant" as const, content: "b" },
  ];
  const { threadId } = await submit({ history });
  expect((await messages()).map((one) => one.content)).toEqual(["a", "b", "hello"]);
  await submit({ threadId, history });
  expect(await messages()).toHaveLength(4);
});

test("a long first line is cut to 80 characters in the title, without halving a character", async () => {
  const { threadId } = await submit({ content: `  ${"😀".repeat(90)}\n` });
  const { title } = await getThread(queue.db.sql, { ownerId: queue.ownerId, threadId });
  expect(title).toBe(`${"😀".repeat(79)}…`);
});

test("another owner's thread is not found, and nothing is stored", async () => {
  const { threadId } = await submit({ ownerId: "other" });
  await expect(submit({ threadId })).rejects.toThrow(NotFoundError);
  expect(await messages()).toHaveLength(1);
});

test("a message or a graph that does not exist is refused by name, and nothing is stored", async () => {
  const nobody = "018f0000-0000-7000-8000-000000000001";
  await expect(submit({ parentId: nobody })).rejects.toThrow(/^parentId/);
  await expect(submit({ graph: "nowhere" })).rejects.toThrow(/graph "nowhere" is unknown/);
  expect(await messages()).toEqual([]);
});

test("the turns of a thread run one at a time in submit order, whatever their priority", async () => {
  const first = await queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "1" }));
  const second = await queue.inTx(async (tx) =>
    submitTurn(tx, { ownerId: queue.ownerId, content: "2", threadId: first.threadId, priority: 100 }),
  );
  const head = await queue.takeOne();
  expect(head.jobId).toBe(first.jobId);
  expect(await queue.take()).toEqual([]);
  await queue.inTx(async (tx) => fail(tx, head, { error: BOOM, retry: AT_ONCE, permanent: true }));
  expect((await queue.takeOne()).jobId).toBe(second.jobId);
});

test("a key that is submitted twice is one turn, also concurrently and after its end", async () => {
  const turn = { ownerId: queue.ownerId, content: "design", idempotencyKey: "k" };
  const submits = await Promise.all(
    Array.from({ length: 10 }, async () => queue.inTx(async (tx) => submitTurn(tx, turn))),
  );
  expect(new Set(submits.map((one) => one.jobId)).size).toBe(1);
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => complete(tx, job));
  expect(await queue.inTx(async (tx) => submitTurn(tx, turn))).toMatchObject({ jobId: job.jobId, status: "completed" });
  expect(await queue.db.sql`select id from messages`).toHaveLength(1);
});

test("a key that is submitted concurrently for a new thread is one job in one thread, for its owner only", async () => {
  const threadId = randomUUID();
  const submits = await Promise.all(
    Array.from({ length: 10 }, async () =>
      queue.inTx(async (tx) =>
        submitTurn(tx, { ownerId: queue.ownerId, content: "hello", idempotencyKey: "k", threadId }),
      ),
    ),
  );
  expect(new Set(submits.map((one) => `${one.jobId} ${one.threadId}`)).size).toBe(1);
  expect(await queue.db.sql`select 1 from decision_sets`).toHaveLength(1);
  const stranger = { ownerId: "other", content: "hello", idempotencyKey: "k" };
  const { jobId } = await queue.inTx(async (tx) => submitTurn(tx, stranger));
  expect(submits.map((one) => one.jobId)).not.toContain(jobId);
});

test("a key with other content is refused, and names its job", async () => {
  const { jobId } = await submit({ idempotencyKey: "k" });
  await expect(submit({ idempotencyKey: "k", content: "other" })).rejects.toThrow(JobConflictError);
  await expect(submit({ idempotencyKey: "k", content: "other" })).rejects.toThrow(jobId);
});

test("a key whose job is no chat turn is refused, so that every stored message gets an answer", async () => {
  await queue.add({ idempotencyKey: "k" });
  const turn = { ownerId: queue.ownerId, content: "hello", idempotencyKey: "k" };
  await expect(queue.inTx(async (tx) => submitTurn(tx, turn))).rejects.toThrow(JobConflictError);
  const racing = Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const key = { idempotencyKey: `race ${n}` };
      const message = queue.inTx(async (tx) => submitTurn(tx, { ...turn, ...key })).catch(() => null);
      return [await queue.add(key), await message];
    }),
  );
  await racing;
  const rows = await queue.db.sql`
    select 1 from messages left join jobs on jobs.id = messages.job_id where jobs.job_type is distinct from 'ml_workflow'`;
  expect(rows).toHaveLength(0);
});
