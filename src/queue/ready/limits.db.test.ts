import { deferred } from "../../../test/deferred.ts";
import { openQueue } from "../../../test/queue.ts";
import { claim, claimLimited } from "../claim/claim.ts";
import { InvalidQueueError, NotFoundError } from "../errors.ts";
import { pauseJobType, pauseQueue } from "../operate/pause.ts";
import { pruneLimitKeys } from "../operate/prune.ts";
import { createQueue, listQueues, setQueueLimits } from "../operate/queue-limits.ts";
import { survey } from "../read/survey.ts";
import { cancel } from "../settle/cancel.ts";
import { complete } from "../settle/complete.ts";
import { reap } from "../settle/reap.ts";
import { release } from "../settle/release.ts";
import { admitDueKey, findDueKeys } from "./admit.ts";
import { promote } from "./promote.ts";
import { sweepPaused } from "./sweep-paused.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => {
  await queue.clear();
  await createQueue(queue.db.sql, "default");
});
afterAll(async () => queue.close());

const limit = async (limits: Parameters<typeof setQueueLimits>[2]) =>
  queue.db.transaction(async (tx) => setQueueLimits(tx, "default", limits));
const takeLimited = async (most = 10) =>
  (await queue.db.transaction(async (tx) => claimLimited(tx, { workerId: "w", limit: most, leaseMs: 30_000 }))).jobs;
const letIn = async () => {
  for (const key of await queue.db.call(findDueKeys)) await queue.db.transaction(async (tx) => admitDueKey(tx, key));
};
const fill = async (count: number, limitKey?: string) =>
  queue.addMany(Array.from({ length: count }, () => ({ limitKey })));

test("a queue runs at most as many jobs as its limit, however many claim at once", async () => {
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

test("a job that comes to wait for its key while another of it ends is let in", async () => {
  await limit({ perKey: { concurrency: 1 } });
  const first = await queue.add({ limitKey: "k" });
  const before = await queue.add();
  const next = await queue.add({ limitKey: "k", after: [before.jobId] });
  const claims = await queue.take(2);
  const claimOf = ({ jobId }: { jobId: string }) => claims.find((one) => one.jobId === jobId)!;
  await queue.db.sql`
    insert into limit_keys (queue, key, admit_at) values ('default', 'k', clock_timestamp())
    on conflict (queue, key) do update set admit_at = excluded.admit_at`;
  const asked = deferred();
  const commits = deferred();
  // What the next waited for has ended, so that it waits for its key; nobody sees that yet.
  const readying = queue.db.transaction(async (tx) => {
    await complete(tx, claimOf(before));
    asked.resolve();
    await commits.promise;
  });
  await asked.promise;
  const ending = queue.finish(claimOf(first));
  await expect
    .poll(async () => (await queue.db.sql`select from pg_locks where not granted`).length, { timeout: 10_000 })
    .toBeGreaterThan(0);
  commits.resolve();
  await Promise.all([readying, ending]);
  await letIn();
  expect((await queue.take(1)).map((job) => job.jobId)).toEqual([next.jobId]);
});

test("a key runs at most as many jobs as its queue allows, and does not hold up the others", async () => {
  await limit({ perKey: { concurrency: 2 } });
  await fill(5, "ada");
  await fill(1, "bob");
  const plain = await queue.add();
  const taken = await queue.take(10);
  expect(taken.filter((job) => job.limitKey === "ada")).toHaveLength(2);
  expect(taken.filter((job) => job.limitKey === "bob")).toHaveLength(1);
  expect(taken.map((job) => job.jobId)).toContain(plain.jobId);
  expect(await queue.take(10)).toEqual([]);
});

test.each(["completes", "fails for good", "is put off", "is cancelled", "is reaped", "waits for a retry"])(
  "a key's place is free again when a job %s",
  async (how) => {
    await limit({ perKey: { concurrency: 1 } });
    const [first, second] = await queue.addMany([{ limitKey: "k", maxRetries: 0 }, { limitKey: "k" }]);
    if (how === "is cancelled") {
      await queue.db.transaction(async (tx) => cancel(tx, { ownerId: queue.ownerId, jobId: first?.jobId ?? "" }));
    } else {
      const job = await queue.takeOne();
      expect(job.jobId).toBe(first?.jobId);
      expect(await queue.take(5)).toEqual([]);
      if (how === "completes") await queue.finish(job);
      if (how === "fails for good") await queue.failOne(job, true);
      if (how === "is put off") await queue.db.transaction(async (tx) => release(tx, job, { delayMs: 60_000 }));
      if (how === "is reaped") {
        await queue.expire(job.jobId);
        expect(await reap(queue.db, { policyOf: () => ({ baseMs: 60_000, capMs: 60_000 }) })).toHaveLength(1);
      }
      if (how === "waits for a retry") {
        await queue.db.sql`update jobs set max_retries = 5 where id = ${job.jobId}`;
        expect(await queue.failOne(job)).toBe("queued");
        await letIn();
      }
    }
    const next = await queue.take(5);
    expect(next).toHaveLength(1);
    if (how !== "waits for a retry") expect(next[0]?.jobId).toBe(second?.jobId);
  },
);

test("places are never exceeded by racing submitters, claimers and finishers", async () => {
  await limit({ perKey: { concurrency: 3 } });
  let running = 0;
  let most = 0;
  let done = 0;
  // The first to run wait for a third, so that the places are known to have been full.
  const full = deferred();
  const work = async () => {
    while (done < 60) {
      for (const job of await queue.take()) {
        running += 1;
        most = Math.max(most, running);
        if (running === 3) full.resolve();
        await full.promise;
        running -= 1;
        await queue.finish(job);
        done += 1;
      }
    }
  };
  const submit = async () => {
    for (let count = 0; count < 20; count += 1) await queue.add({ limitKey: "k" });
  };
  await Promise.all([submit(), submit(), submit(), work(), work(), work(), work(), work()]);
  expect(most).toBe(3);
});

test("a key's rate lets a burst in and then one at a time, by the database's clock", async () => {
  await limit({ perKey: { rate: { limit: 3, perMs: 3_600_000 } } });
  await fill(6, "k");
  expect(await queue.take(10)).toHaveLength(3);
  const { admitMs } = await survey(queue.db.sql);
  expect(admitMs).toBeGreaterThan(1_190_000);
  expect(admitMs).toBeLessThanOrEqual(1_200_000);
  await letIn();
  expect(await queue.take(10)).toEqual([]);
  await queue.db
    .sql`update limit_keys set arrival_at = arrival_at - interval '20 minutes', admit_at = clock_timestamp()`;
  await letIn();
  expect(await queue.take(10)).toHaveLength(1);
});

test("what waits at a limit is let in when the limit goes", async () => {
  await limit({ perKey: { concurrency: 1 } });
  await fill(4, "k");
  expect(await queue.take(10)).toHaveLength(1);
  await limit({});
  await letIn();
  expect(await queue.take(10)).toHaveLength(3);
});

test("a delayed job of a limited key takes its place when it is due, not before", async () => {
  await limit({ perKey: { concurrency: 1 } });
  const late = await queue.add({ limitKey: "k", delayMs: 60_000 });
  const now = await queue.add({ limitKey: "k" });
  const job = await queue.takeOne();
  expect(job.jobId).toBe(now.jobId);
  await queue.makeDue();
  await queue.db.transaction(promote);
  await letIn();
  expect(await queue.read(late.jobId)).toMatchObject({ status: "queued", hold: "limit" });
  await queue.finish(job);
  expect((await queue.takeOne()).jobId).toBe(late.jobId);
});

test("a paused queue and a paused job type are claimed from only when they go on", async () => {
  const [one, other] = await queue.addMany([{ jobType: "a" }, { jobType: "b" }]);
  await pauseQueue(queue.db.sql, "default", true);
  expect(await queue.take(5)).toEqual([]);
  await pauseQueue(queue.db.sql, "default", false);
  await pauseJobType(queue.db.sql, "a", true);
  expect((await queue.take(5)).map((job) => job.jobId)).toEqual([other?.jobId]);
  expect(await sweepPaused(queue.db.sql)).toBe(1);
  expect(await queue.read(one?.jobId ?? "")).toMatchObject({ hold: "paused" });
  const later = await queue.add({ jobType: "a" });
  expect(await queue.take(5)).toEqual([]);
  await pauseJobType(queue.db.sql, "a", false);
  await sweepPaused(queue.db.sql);
  expect((await queue.take(5)).map((job) => job.jobId)).toEqual([one?.jobId, later.jobId]);
  await expect(pauseQueue(queue.db.sql, "nowhere", true)).rejects.toThrow(NotFoundError);
});

test.each<[string, object]>([
  ["concurrency", { concurrency: -1 }],
  ["concurrency", { concurrency: 1.5 }],
  ["concurrency", { concurrency: "2" }],
  ["perKey", { perKey: { concurrency: 0 } }],
  ["perKey", { perKey: { rate: { limit: 1, perMs: 0.5 } } }],
  ["unknown", { unknown: 1 }],
])("a bad %s among limits is named, and the old limits stay", async (field, limits) => {
  await limit({ concurrency: 2 });
  await expect(limit(limits)).rejects.toThrow(InvalidQueueError);
  await expect(limit(limits)).rejects.toThrow(new RegExp(field));
  expect(await listQueues(queue.db.sql)).toMatchObject([{ limits: { concurrency: 2 } }]);
});

test.each(["", "x".repeat(201), "a\u0000b"])("a queue cannot be named %j", async (name) => {
  await expect(createQueue(queue.db.sql, name)).rejects.toThrow(InvalidQueueError);
});

test("of queues with limits the one with the most urgent job comes first, and equal ones take turns", async () => {
  for (const name of ["a", "b", "c"]) {
    await createQueue(queue.db.sql, name);
    await queue.db.transaction(async (tx) => setQueueLimits(tx, name, { concurrency: 100 }));
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

test("a queue with a limit yields to more urgent jobs of queues without, and to equal ones when it is their turn", async () => {
  await createQueue(queue.db.sql, "limited");
  await queue.db.transaction(async (tx) => setQueueLimits(tx, "limited", { concurrency: 5 }));
  const claimOne = async (yields?: "lower" | "equal") =>
    queue.db.transaction(async (tx) => claimLimited(tx, { workerId: "w", limit: 1, leaseMs: 30_000, yields }));
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

test("jobs that wait for a running one's place are known of", async () => {
  await limit({ concurrency: 1 });
  await fill(2);
  const one = async () =>
    queue.db.transaction(async (tx) => claimLimited(tx, { workerId: "w", limit: 5, leaseMs: 30_000 }));
  const [job] = (await one()).jobs;
  expect(await one()).toMatchObject({ jobs: [], more: true });
  await queue.finish(job!);
  expect((await one()).jobs).toHaveLength(1);
  expect(await one()).toMatchObject({ jobs: [], more: false });
});

test("an owner whose jobs are all of a paused type does not take the others' turn", async () => {
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

test("a paused type gives up its places under a limit, and waits for them again when it goes on", async () => {
  await limit({ perKey: { concurrency: 1 } });
  const [paused, other] = await queue.addMany([
    { limitKey: "k", jobType: "paused" },
    { limitKey: "k", jobType: "other" },
  ]);
  await pauseJobType(queue.db.sql, "paused", true);
  await sweepPaused(queue.db.sql);
  await letIn();
  const job = await queue.takeOne();
  expect(job.jobId).toBe(other?.jobId);
  await pauseJobType(queue.db.sql, "paused", false);
  await sweepPaused(queue.db.sql);
  await letIn();
  expect(await queue.take(5)).toEqual([]);
  await queue.finish(job);
  expect((await queue.takeOne()).jobId).toBe(paused?.jobId);
});

test("rate accounts of keys that nobody uses any more are forgotten", async () => {
  await limit({ perKey: { rate: { limit: 1, perMs: 1_000 } } });
  await fill(2, "waits");
  await fill(1, "idle");
  await queue.db.sql`update limit_keys set arrival_at = clock_timestamp() - interval '2 days'`;
  await fill(1, "used");
  await pruneLimitKeys(queue.db.sql);
  const left = await queue.db.sql<{ key: string }[]>`select key from limit_keys order by key`;
  expect(left.map((row) => row.key)).toEqual(["used", "waits"]);
});
