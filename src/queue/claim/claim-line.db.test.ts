import { setUpQueue } from "../../../test/queue.ts";
import type { NewJob } from "../new-job.ts";
import { pauseJobType, pauseQueue } from "../operate/pause.ts";
import { createQueue, setQueueLimits } from "../operate/queue-limits.ts";
import type { Line } from "./claim-rows.ts";
import { claim } from "./claim.ts";
import { expect, test } from "vitest";

const queue = setUpQueue(2);

/** A worker that passes the line and the owner of each claim to the next. */
const claimer = () => {
  let line: Line | undefined;
  let afterOwner: string | undefined;
  return {
    get line() {
      return line;
    },
    async take(limit: number) {
      const claimed = await claim(queue.db.sql, { workerId: "w", limit, leaseMs: 30_000, afterOwner, line });
      ({ line, lastOwner: afterOwner } = claimed);
      return claimed.jobs.map((job) => job.jobId);
    },
  };
};
const many = async (count: number, job: Partial<NewJob> = {}) =>
  (await queue.addMany(Array.from({ length: count }, () => job))).map((one) => one.jobId);

test("a claim that follows another takes the line's next jobs in submit order, whatever the batch sizes", async () => {
  const worker = claimer();
  const ids = await many(9);
  const found = await worker.take(2);
  expect(worker.line).toEqual({ queue: "default", priority: 0, ownerId: "local" });
  for (const limit of [3, 1, 5]) found.push(...(await worker.take(limit)));
  expect(found).toEqual(ids);
  expect(await worker.take(5)).toEqual([]);
  const later = await many(2);
  expect(await worker.take(5)).toEqual(later);
});

test.each<[string, Partial<NewJob>]>([
  ["a higher priority", { priority: 1 }],
  ["a higher priority of another owner", { priority: 1, ownerId: "other" }],
  ["a higher priority in another queue", { priority: 1, queue: "other" }],
])("%s comes before the line", async (_name, job) => {
  const worker = claimer();
  await many(5);
  await worker.take(2);
  const [urgent] = await many(1, job);
  expect(await worker.take(1)).toEqual([urgent]);
});

test.each(["a", "z"])("another owner (%s) has its turn next", async (ownerId) => {
  const worker = claimer();
  await many(50);
  await worker.take(2);
  const [other] = await many(1, { ownerId });
  expect(await worker.take(2)).toContain(other);
});

test("another queue of the same priority has its share", async () => {
  const worker = claimer();
  await many(50);
  await worker.take(2);
  const [other] = await many(1, { queue: "other" });
  expect(await worker.take(10)).toContain(other);
});

test("a claim that empties its line continues with lower priorities", async () => {
  const worker = claimer();
  const high = await many(3, { priority: 1 });
  const low = await many(3);
  expect(await worker.take(2)).toEqual(high.slice(0, 2));
  expect(worker.line).toEqual({ queue: "default", priority: 1, ownerId: "local" });
  expect(await worker.take(3)).toEqual([high[2], ...low.slice(0, 2)]);
  expect(await worker.take(3)).toEqual(low.slice(2));
});

test("a line is not claimed while its queue is paused or limited, or its job type is paused", async () => {
  await createQueue(queue.db.sql, "default");
  const worker = claimer();
  const ids = await many(9, { jobType: "t" });
  expect(await worker.take(2)).toEqual(ids.slice(0, 2));
  await pauseQueue(queue.db.sql, "default", true);
  expect(await worker.take(2)).toEqual([]);
  await pauseQueue(queue.db.sql, "default", false);
  expect(await worker.take(2)).toEqual(ids.slice(2, 4));
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { concurrency: 1 }));
  expect(await worker.take(2)).toEqual([]);
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", {}));
  expect(await worker.take(2)).toEqual(ids.slice(4, 6));
  await pauseJobType(queue.db.sql, "t", true);
  expect(await worker.take(2)).toEqual([]);
});

test("whatever is added between claims, no claim passes over a higher priority", async () => {
  const worker = claimer();
  const owners = ["a", "m", "z"];
  let seed = 7;
  const next = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let turn = 0; turn < 150; turn += 1) {
    const ownerId = owners[next(3)] ?? "a";
    if (turn < 100) await many(1 + next(3), { ownerId, priority: next(3), queue: next(4) === 0 ? "other" : "default" });
    const [highest] = await queue.db.sql<{ priority: number }[]>`
      select max(priority) as priority from jobs where status = 'queued'`;
    const [jobId] = await worker.take(1);
    if (jobId === undefined) break;
    const [taken] = await queue.db.sql<{ priority: number }[]>`select priority from jobs where id = ${jobId}`;
    expect(taken).toEqual(highest);
  }
});
