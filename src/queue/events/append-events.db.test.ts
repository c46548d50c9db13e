import { setUpQueue } from "../../../test/queue.ts";
import { LeaseLostError } from "../errors.ts";
import { appendEvents } from "./append-events.ts";
import { EVENTS_CHANNEL } from "./notices.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const token = (text: string) => ({ type: "token", data: { text } });

test("events are numbered from the last one of the log, and a batch that is sent again is added once", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  const append = async (after: number) => appendEvents(queue.db.sql, job, { events: [token("a"), token("b")], after });
  expect([await append(0), await append(0), await append(2)]).toEqual([2, 2, 4]);
  expect((await queue.read(jobId)).events.map((event) => event.seq)).toEqual([1, 2, 3, 4]);
});

test("a batch that does not follow the last event is refused", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await expect(appendEvents(queue.db.sql, job, { events: [token("a")], after: 5 })).rejects.toThrow(LeaseLostError);
  expect((await queue.read(jobId)).events).toEqual([]);
});

test("progress and usage are set with the events, and stay when a batch has none", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  const usage = { inputTokens: 3, outputTokens: 4, costUsd: null };
  await appendEvents(queue.db.sql, job, { events: [token("a")], after: 0, progress: { step: "plan" }, usage });
  await appendEvents(queue.db.sql, job, { events: [token("b")], after: 1 });
  expect(await queue.read(jobId)).toMatchObject({ progress: { step: "plan" }, usage });
});

test("the readers of the log are notified", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  const heard = await queue.hear(EVENTS_CHANNEL);
  await appendEvents(queue.db.sql, job, { events: [token("a")], after: 0 });
  await expect.poll(() => heard).toEqual([jobId]);
});
