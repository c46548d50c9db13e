import { deferred } from "../../../test/deferred.ts";
import { HOUR_MS, setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import { createQueue, setQueueLimits } from "../operate/queue-limits.ts";
import { survey } from "../read/survey.ts";
import { cancel } from "../settle/cancel.ts";
import { complete } from "../settle/complete.ts";
import { reap } from "../settle/reap.ts";
import { release } from "../settle/release.ts";
import { admitDueKey, findDueKeys } from "./admit.ts";
import { beforeEach, expect, test } from "vitest";

const queue = setUpQueue();
beforeEach(async () => createQueue(queue.db.sql, "default"));

const limit = async (limits: Parameters<typeof setQueueLimits>[2]) =>
  queue.inTx(async (tx) => setQueueLimits(tx, "default", limits));
const admitDue = async () => {
  for (const key of await queue.db.call(findDueKeys)) await queue.inTx(async (tx) => admitDueKey(tx, key));
};
const fill = async (count: number, limitKey?: string) =>
  queue.addMany(Array.from({ length: count }, () => ({ limitKey })));

test("a key runs at most as many jobs as its queue allows, and holds up no other key", async () => {
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
  "a key's slot is free again when its job %s",
  async (how) => {
    await limit({ perKey: { concurrency: 1 } });
    const [first, second] = await queue.addMany([{ limitKey: "k", maxRetries: 0 }, { limitKey: "k" }]);
    if (how === "is cancelled") {
      await queue.inTx(async (tx) => cancel(tx, queue.keyOf(first?.jobId ?? "")));
    } else {
      const job = await queue.takeOne();
      expect(job.jobId).toBe(first?.jobId);
      expect(await queue.take(5)).toEqual([]);
      if (how === "completes") await queue.finish(job);
      if (how === "fails for good") await queue.failOne(job, true);
      if (how === "is put off") await queue.inTx(async (tx) => release(tx, job, { delayMs: 60_000 }));
      if (how === "is reaped") {
        await queue.expire(job.jobId);
        expect(await reap(queue.db, { policyOf: () => ({ baseMs: 60_000, capMs: 60_000 }) })).toHaveLength(1);
      }
      if (how === "waits for a retry") {
        await queue.db.sql`update jobs set max_retries = 5 where id = ${job.jobId}`;
        expect(await queue.failOne(job)).toBe("queued");
        await admitDue();
      }
    }
    const next = await queue.take(5);
    expect(next).toHaveLength(1);
    if (how !== "waits for a retry") expect(next[0]?.jobId).toBe(second?.jobId);
  },
);

test("a job that starts to wait for its key while another job of the key ends is admitted", async () => {
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
  // The dependency has ended, so `next` waits for its key; the transaction has not committed.
  const readying = queue.inTx(async (tx) => {
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
  await admitDue();
  expect((await queue.take(1)).map((job) => job.jobId)).toEqual([next.jobId]);
});

test("racing submitters, claimers and finishers never exceed a key's slots", async () => {
  await limit({ perKey: { concurrency: 3 } });
  let running = 0;
  let most = 0;
  let done = 0;
  // The first two jobs wait for a third, so that all slots are taken at least once.
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

test("a key's rate admits a burst and then one job at a time, by the database's clock", async () => {
  await limit({ perKey: { rate: { limit: 3, perMs: 3_600_000 } } });
  await fill(6, "k");
  expect(await queue.take(10)).toHaveLength(3);
  const { admitMs } = await survey(queue.db.sql);
  expect(admitMs).toBeGreaterThan(1_190_000);
  expect(admitMs).toBeLessThanOrEqual(1_200_000);
  await admitDue();
  expect(await queue.take(10)).toEqual([]);
  await queue.db
    .sql`update limit_keys set arrival_at = arrival_at - interval '20 minutes', admit_at = clock_timestamp()`;
  await admitDue();
  expect(await queue.take(10)).toHaveLength(1);
});

test.each(WRONG_CLOCKS)("a key's rate follows the database's clock when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await limit({ perKey: { rate: { limit: 1, perMs: HOUR_MS } } });
  await fill(2, "k");
  await admitDue();
  expect(await queue.take(9)).toHaveLength(1);
  expect((await survey(queue.db.sql)).admitMs).toBeGreaterThan(HOUR_MS - 60_000);
});
