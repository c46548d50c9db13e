import { setUpQueue } from "../../../test/queue.ts";
import { InvalidJobError } from "../errors.ts";
import { EVENTS_CHANNEL } from "../events/notices.ts";
import { setQueueLimits } from "../operate/queue-limits.ts";
import { redrive } from "../operate/redrive.ts";
import { cancel } from "../settle/cancel.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const id = (n: number) => `00000000-0000-7000-8000-0000000000${n.toString(16).padStart(2, "0")}`;
const again = async (jobId: string) => queue.inTx(async (tx) => redrive(tx, queue.keyOf(jobId)));
const stop = async (jobId: string) => queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobId)));

test("a job waits for all its dependencies, in any order of one batch", async () => {
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

test("a dependency must be the owner's job and may have completed, but must not have failed", async () => {
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

test("the id of a dependency may be written in capitals", async () => {
  const upper = "018F0000-0000-7000-8000-0000000000AB";
  await queue.addMany([{ jobId: upper }, { after: [upper] }]);
  await queue.add({ after: [upper] });
  expect(await queue.take(5)).toHaveLength(1);
});

test("a cycle is refused", async () => {
  const cycle = [
    { jobId: id(1), after: [id(3)] },
    { jobId: id(2), after: [id(1)] },
    { jobId: id(3), after: [id(2)] },
  ];
  await expect(queue.addMany(cycle)).rejects.toThrow(/cycle/);
});

test("a job that would wait for a later job of its thread is refused as a cycle", async () => {
  const [a, b] = [id(100), id(101)];
  const own = [
    { jobId: id(1), threadId: a, after: [id(2)] },
    { jobId: id(2), threadId: a },
  ];
  await expect(queue.addMany(own)).rejects.toThrow(/cycle/);
  const crossed = [
    { jobId: id(1), threadId: a, after: [id(4)] },
    { jobId: id(2), threadId: a },
    { jobId: id(3), threadId: b, after: [id(2)] },
    { jobId: id(4), threadId: b },
  ];
  await expect(queue.addMany(crossed)).rejects.toThrow(/cycle/);
});

test("a job cannot depend on a job of its batch whose key belongs to another job", async () => {
  await queue.add({ idempotencyKey: "k" });
  await expect(queue.addMany([{ jobId: id(1), idempotencyKey: "k" }, { after: [id(1)] }])).rejects.toThrow(
    InvalidJobError,
  );
});

test.each(["fails for good", "is cancelled"])(
  "when a job %s, its dependents fail with it, level by level, unless they chose to run anyway",
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

test("a dependent keeps waiting while its dependency is retried", async () => {
  await queue.addMany([{ jobId: id(1) }, { jobId: id(2), after: [id(1)] }]);
  await queue.failOne(await queue.takeOne());
  expect(await queue.statusOf(id(2))).toBe("queued");
  await queue.finish(await queue.takeOne());
  expect((await queue.takeOne()).jobId).toBe(id(2));
});

test("a dependency that ends twice, because it was redriven, counts once", async () => {
  await queue.addMany([
    { jobId: id(1) },
    { jobId: id(2) },
    { jobId: id(3), after: [id(1), id(2)], onDependencyFailure: "run" },
  ]);
  const [first, second] = await queue.take(2);
  await queue.failOne(first!, true);
  await again(id(1));
  await queue.finish(await queue.takeOne());
  expect(await queue.take()).toEqual([]);
  await queue.finish(second!);
  expect((await queue.takeOne()).jobId).toBe(id(3));
});

test("a dependent whose dependencies have ended still waits for its slot under a limit", async () => {
  await queue.add({ jobId: id(1) });
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { perKey: { concurrency: 1 } }));
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

test("a dependency that ends while its dependent is added never leaves the dependent waiting", async () => {
  for (let round = 0; round < 40; round += 1) {
    await queue.clear();
    const { jobId } = await queue.add();
    const job = await queue.takeOne();
    const [added] = await Promise.all([queue.add({ after: [jobId] }), queue.finish(job)]);
    expect((await queue.take()).map((one) => one.jobId)).toEqual([added.jobId]);
  }
});

test("the readers of a dependent's log are notified when it fails with its dependency", async () => {
  const heard = await queue.hear(EVENTS_CHANNEL);
  await queue.addMany([{ jobId: id(1) }, { jobId: id(2), after: [id(1)], threadId: id(100) }]);
  await stop(id(1));
  await expect.poll(() => heard).toContain(`${id(2)} changed`);
});
