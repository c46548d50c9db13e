import { setUpQueue } from "../../../test/queue.ts";
import { createQueue, setQueueLimits } from "../operate/queue-limits.ts";
import { survey } from "../read/survey.ts";
import { claimLimited } from "./claim.ts";
import { beforeEach, expect, test } from "vitest";

const queue = setUpQueue();
beforeEach(async () => createQueue(queue.db.sql, "default"));

const limit = async (limits: Parameters<typeof setQueueLimits>[2]) =>
  queue.inTx(async (tx) => setQueueLimits(tx, "default", limits));
const takeLimited = async (most = 10) =>
  (await queue.inTx(async (tx) => claimLimited(tx, { workerId: "w", limit: most, leaseMs: 30_000 }))).jobs;
const fill = async (count: number) => queue.addMany(Array.from({ length: count }, () => ({})));

test("a queue runs at most as many jobs as its limit, however many workers claim at once", async () => {
  await fill(30);
  await limit({ concurrency: 4 });
  expect(await queue.take(10)).toEqual([]);
  expect((await survey(queue.db.sql)).limited).toBe(true);
  const taken = (await Promise.all(Array.from({ length: 20 }, async () => takeLimited(3)))).flat();
  expect(taken).toHaveLength(4);
  await queue.finish(taken[0]!);
  await queue.failOne(taken[1]!, true);
  expect(await takeLimited()).toHaveLength(2);
  await limit({});
  expect(await queue.take(50)).toHaveLength(24);
});

test("of the limited queues the one with the most urgent job comes first, and equal ones take turns", async () => {
  for (const name of ["a", "b", "c"]) {
    await createQueue(queue.db.sql, name);
    await queue.inTx(async (tx) => setQueueLimits(tx, name, { concurrency: 100 }));
  }
  await queue.addMany([
    ...Array.from({ length: 40 }, () => ({ queue: "a" })),
    ...Array.from({ length: 40 }, () => ({ queue: "b" })),
    { queue: "c", priority: 5 },
  ]);
  const [urgent] = await takeLimited(1);
  expect(urgent?.queue).toBe("c");
  const queues = new Set<string>();
  for (let round = 0; round < 40; round += 1) queues.add((await takeLimited(1))[0]?.queue ?? "");
  expect(queues).toEqual(new Set(["a", "b"]));
});

test("a limited queue yields to more urgent jobs of unlimited queues, and to equal ones when it is their turn", async () => {
  await createQueue(queue.db.sql, "limited");
  await queue.inTx(async (tx) => setQueueLimits(tx, "limited", { concurrency: 5 }));
  const claimOne = async (yields?: "lower" | "equal") =>
    queue.inTx(async (tx) => claimLimited(tx, { workerId: "w", limit: 1, leaseMs: 30_000, yields }));
  await queue.addMany([{ queue: "limited" }, { queue: "limited", priority: 2 }, { priority: 1 }]);
  expect((await claimOne("equal")).jobs).toMatchObject([{ priority: 2 }]);
  expect(await claimOne("lower")).toMatchObject({ jobs: [], more: true });
  await queue.finish(await queue.takeOne());
  await queue.add();
  expect((await claimOne("equal")).jobs).toEqual([]);
  expect((await claimOne("lower")).jobs).toMatchObject([{ queue: "limited" }]);
  await queue.add({ queue: "limited" });
  expect((await claimOne()).jobs).toMatchObject([{ queue: "limited" }]);
});

test("a claim reports whether jobs wait for the slot of a running job", async () => {
  await limit({ concurrency: 1 });
  await fill(2);
  const one = async () => queue.inTx(async (tx) => claimLimited(tx, { workerId: "w", limit: 5, leaseMs: 30_000 }));
  const [job] = (await one()).jobs;
  expect(await one()).toMatchObject({ jobs: [], more: true });
  await queue.finish(job!);
  expect((await one()).jobs).toHaveLength(1);
  expect(await one()).toMatchObject({ jobs: [], more: false });
});
