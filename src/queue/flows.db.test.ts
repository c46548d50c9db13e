import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openQueue } from "../../test/queue.ts";
import { cancel, InvalidJobError, setQueueLimits } from "./index.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const id = (n: number) => `00000000-0000-7000-8000-0000000000${n.toString(16).padStart(2, "0")}`;
const stop = async (jobId: string) => queue.db.transaction(async (tx) => cancel(tx, { ownerId: queue.ownerId, jobId }));

test("a job waits for all it depends on, in any order of one batch", async () => {
  const [last] = await queue.addMany([{ jobId: id(3), after: [id(1), id(2)] }, { jobId: id(1) }, { jobId: id(2) }]);
  expect(await queue.read(id(3))).toMatchObject({ status: "queued", hold: "dependency" });
  const [one, two] = await queue.take(5);
  expect(await queue.take(5)).toEqual([]);
  await queue.finish(one!);
  expect(await queue.take(5)).toEqual([]);
  await queue.finish(two!);
  expect((await queue.take(5)).map((job) => job.jobId)).toEqual([last?.jobId]);
});

test("a diamond runs from its top to its bottom", async () => {
  await queue.addMany([
    { jobId: id(1) },
    { jobId: id(2), after: [id(1)] },
    { jobId: id(3), after: [id(1)] },
    { jobId: id(4), after: [id(2), id(3)] },
  ]);
  const waves: string[][] = [];
  for (let wave = await queue.take(5); wave.length > 0; wave = await queue.take(5)) {
    waves.push(wave.map((job) => job.jobId).toSorted((a, b) => a.localeCompare(b)));
    for (const job of wave) await queue.finish(job);
  }
  expect(waves).toEqual([[id(1)], [id(2), id(3)], [id(4)]]);
});

test("what a job depends on may have completed; it must exist, be the owner's, and not have failed", async () => {
  await queue.addMany([{ jobId: id(1) }, { jobId: id(2) }]);
  const [one, two] = await queue.take(2);
  await queue.finish(one!);
  await queue.failOne(two!, true);
  await queue.add({ after: [id(1)] });
  expect(await queue.take()).toHaveLength(1);
  await expect(queue.add({ after: [id(9)] })).rejects.toThrow(InvalidJobError);
  await expect(queue.add({ after: [id(1)], ownerId: "other" })).rejects.toThrow(/does not exist/);
  await expect(queue.add({ after: [id(2)] })).rejects.toThrow(/has failed/);
  await queue.add({ after: [id(2)], onDependencyFailure: "run" });
  expect(await queue.take()).toHaveLength(1);
});

test("a cycle is refused and named", async () => {
  const cycle = [
    { jobId: id(1), after: [id(3)] },
    { jobId: id(2), after: [id(1)] },
    { jobId: id(3), after: [id(2)] },
  ];
  await expect(queue.addMany(cycle)).rejects.toThrow(/cycle/);
});

test.each(["fails for good", "is cancelled"])(
  "when a job %s, its dependents fail with it, level by level, unless they run anyway",
  async (how) => {
    const threadId = id(200);
    await queue.addMany([
      { jobId: id(1) },
      { jobId: id(2), after: [id(1)], threadId },
      { jobId: id(3), after: [id(2)] },
      { jobId: id(4), after: [id(3)], onDependencyFailure: "run" },
      { jobId: id(5), threadId },
    ]);
    if (how === "is cancelled") await stop(id(1));
    else await queue.failOne(await queue.takeOne(), true);
    expect(await queue.read(id(2))).toMatchObject({
      status: "failed",
      error: `Job ${id(1)}, which it depends on, did not complete`,
    });
    expect(await queue.statusOf(id(3))).toBe("failed");
    const ready = (await queue.take(5)).map((job) => job.jobId).toSorted((a, b) => a.localeCompare(b));
    expect(ready).toEqual([id(4), id(5)]);
  },
);

test("a retry of what a job depends on changes nothing for it", async () => {
  await queue.addMany([{ jobId: id(1) }, { jobId: id(2), after: [id(1)] }]);
  await queue.failOne(await queue.takeOne());
  expect(await queue.statusOf(id(2))).toBe("queued");
  await queue.finish(await queue.takeOne());
  expect((await queue.takeOne()).jobId).toBe(id(2));
});

test("a dependent that becomes ready still waits for its place under a limit", async () => {
  await queue.add({ jobId: id(1) });
  await queue.db.transaction(async (tx) => setQueueLimits(tx, "default", { perKey: { concurrency: 1 } }));
  await queue.addMany([
    { jobId: id(2), limitKey: "k" },
    { jobId: id(3), after: [id(1)], limitKey: "k" },
  ]);
  const [one, two] = await queue.take(5);
  await queue.finish(one!);
  expect(await queue.read(id(3))).toMatchObject({ hold: "limit" });
  await queue.finish(two!);
  expect((await queue.takeOne()).jobId).toBe(id(3));
});

test("a job that ends while another is made to depend on it never leaves that one waiting", async () => {
  for (let round = 0; round < 40; round += 1) {
    await queue.clear();
    const { jobId } = await queue.add();
    const job = await queue.takeOne();
    const [added] = await Promise.all([queue.add({ after: [jobId] }), queue.finish(job)]);
    expect((await queue.take()).map((one) => one.jobId)).toEqual([added.jobId]);
  }
});
