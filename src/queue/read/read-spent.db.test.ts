import { setUpQueue } from "../../../test/queue.ts";
import { appendEvents } from "../events/append-events.ts";
import { readSpent } from "./read-spent.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a job's earlier attempts are added up, and the running one is not counted", async () => {
  const { jobId } = await queue.add();
  expect(await readSpent(queue.db.sql, jobId)).toBeNull();
  for (const costUsd of [0.5, 0.25, 9]) {
    const job = await queue.takeOne();
    const usage = { inputTokens: 10, outputTokens: 1, costUsd };
    await appendEvents(queue.db.sql, job, { events: [], after: job.eventSeq, usage });
    if (costUsd < 1) await queue.failOne(job);
  }
  const other = await queue.add({ priority: 1 });
  await appendEvents(queue.db.sql, await queue.takeOne(), {
    events: [],
    after: 0,
    usage: { inputTokens: 7, outputTokens: 7, costUsd: 7 },
  });
  await queue.crash(other);
  expect(await readSpent(queue.db.sql, jobId)).toEqual({ inputTokens: 20, outputTokens: 2, costUsd: 0.75 });
});
