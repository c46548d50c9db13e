import { HOUR_MS, setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import { pauseJobType } from "../operate/pause.ts";
import { claim } from "./claim.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a claimed job is running with a worker and a lease, and cannot be claimed again", async () => {
  expect(await queue.take()).toEqual([]);
  const { jobId } = await queue.add();
  expect(await queue.takeOne()).toMatchObject({ jobId, attempt: 1, workerId: "w", payload: {} });
  const view = await queue.read(jobId);
  expect(view).toMatchObject({ status: "running", workerId: "w" });
  expect(Date.parse(view.leaseExpiresAt ?? "")).toBeGreaterThan(Date.parse(view.startedAt ?? ""));
  expect(await queue.take()).toEqual([]);
});

test("a higher priority comes first, and among equal priorities the older job", async () => {
  const low = await queue.add({ priority: 1 });
  const high = await queue.add({ priority: 10 });
  const later = await queue.add({ priority: 10 });
  expect(await queue.takeIds(3)).toEqual([high.jobId, later.jobId, low.jobId]);
});

test("a higher priority comes first whatever queue it is in", async () => {
  const low = await queue.addMany([{ queue: "a" }, { queue: "c" }]);
  const high = await queue.add({ queue: "b", priority: 5 });
  expect(await queue.takeIds(1)).toEqual([high.jobId]);
  expect(new Set(await queue.takeIds())).toEqual(new Set(low.map((job) => job.jobId)));
});

test("a higher priority comes before another owner's turn", async () => {
  await queue.addMany([{ ownerId: "a" }, { ownerId: "b" }]);
  const urgent = await queue.addMany([
    { ownerId: "c", priority: 1 },
    { ownerId: "c", priority: 1 },
  ]);
  expect((await queue.take(2)).map((job) => job.jobId)).toEqual(urgent.map((job) => job.jobId));
});

test("one claim goes down through the priorities until it has enough", async () => {
  const jobs = await queue.addMany([3, 1, 2, 1, 3].map((priority) => ({ priority })));
  const order = [0, 4, 2, 1, 3].map((index) => jobs[index]?.jobId);
  expect(await queue.takeIds(4)).toEqual(order.slice(0, 4));
  expect(await queue.takeIds(4)).toEqual(order.slice(4));
});

test("a batch takes from every owner, the older jobs of each first, and is full", async () => {
  await queue.addMany(Array.from({ length: 100 }, () => ({ ownerId: "flood" })));
  const few = await queue.addMany([{ ownerId: "few" }, { ownerId: "few" }]);
  const jobs = await queue.take(20);
  expect(jobs).toHaveLength(20);
  expect(jobs.filter((job) => job.ownerId === "few").map((job) => job.jobId)).toEqual(few.map((job) => job.jobId));
});

test.each(["a", "m", "z"])(
  "a flood by one owner does not keep another owner's next job waiting (the flood's owner is %s)",
  async (flood) => {
    await queue.addMany(Array.from({ length: 3_000 }, () => ({ ownerId: flood })));
    const { jobId } = await queue.add({ ownerId: "k" });
    const found: string[] = [];
    let afterOwner: string | undefined;
    for (let turn = 0; turn < 3; turn += 1) {
      const { jobs, lastOwner } = await claim(queue.db.sql, { workerId: "w", limit: 1, leaseMs: 30_000, afterOwner });
      found.push(...jobs.map((job) => job.jobId));
      afterOwner = lastOwner;
    }
    expect(found).toContain(jobId);
  },
);

test("an owner whose jobs are all of a paused type does not take the turn of the others", async () => {
  await pauseJobType(queue.db.sql, "paused", true);
  await queue.addMany([
    ...Array.from({ length: 300 }, () => ({ ownerId: "z" })),
    ...["m", "l", "k"].map((ownerId) => ({ ownerId, jobType: "paused" })),
    { ownerId: "a" },
  ]);
  const owners = [];
  let afterOwner: string | undefined;
  for (let round = 0; round < 4; round += 1) {
    const { jobs, lastOwner } = await claim(queue.db.sql, { workerId: "w", limit: 1, leaseMs: 30_000, afterOwner });
    owners.push(...jobs.map((job) => job.ownerId));
    afterOwner = lastOwner;
  }
  expect(owners).toEqual(["z", "a", "z", "z"]);
});

test("three workers that claim five jobs never get the same one", async () => {
  for (let n = 0; n < 5; n += 1) await queue.add();
  const taken = await Promise.all(["w", "w2", "w3"].map(async (worker) => queue.take(2, { workerId: worker })));
  const rest = await queue.take(5);
  const ids = [...taken.flat(), ...rest].map((job) => job.jobId);
  expect(new Set(ids).size).toBe(5);
  expect(ids).toHaveLength(5);
});

test("exactly one of twenty racing claimers gets the only job", async () => {
  await queue.add();
  const taken = await Promise.all(Array.from({ length: 20 }, async (_, n) => queue.take(1, { workerId: `w${n}` })));
  expect(taken.flat()).toHaveLength(1);
});

test.each(WRONG_CLOCKS)("jobs run in submit order when the process's clock says %s and goes back", async (now) => {
  setProcessClock(now);
  const first = await queue.add();
  setProcessClock(new Date(Date.parse(now) - HOUR_MS).toISOString());
  const later = await queue.addMany([{}, {}]);
  expect(await queue.takeIds()).toEqual([first, ...later].map((job) => job.jobId));
});
