import { submitTurn } from "#conversation";
import { HOUR_MS, setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import { complete } from "../settle/complete.ts";
import { prune, pruneLimitKeys, pruneWorkers } from "./prune.ts";
import { createQueue, setQueueLimits } from "./queue-limits.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("ended jobs are pruned by age and status with their history, and conversations keep their messages", async () => {
  await queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello" }));
  const [done, failed, fresh, open] = await queue.addMany([{}, { maxRetries: 0 }, {}, {}]);
  const jobs = await queue.take(4);
  await queue.inTx(async (tx) => complete(tx, jobs[0]!));
  await queue.inTx(async (tx) => complete(tx, jobs[1]!));
  await queue.failOne(jobs[2]!, true);
  await queue.inTx(async (tx) => complete(tx, jobs[3]!));
  await queue.db
    .sql`update jobs set completed_at = clock_timestamp() - interval '2 hours' where status in ('completed', 'failed') and id <> ${fresh?.jobId ?? ""}`;
  expect(await queue.inTx(async (tx) => prune(tx, { completedMs: 3_600_000, failedMs: 86_400_000 }))).toBe(2);
  const left = await queue.db.sql<{ id: string }[]>`select id from jobs`;
  expect(new Set(left.map((row) => row.id))).toEqual(new Set([failed, fresh, open].map((job) => job?.jobId)));
  expect(left.map((row) => row.id)).not.toContain(done?.jobId);
  expect(await queue.db.sql`select content, job_id from messages`).toEqual([{ content: "hello", job_id: null }]);
  expect(await queue.inTx(async (tx) => prune(tx, { completedMs: 3_600_000, failedMs: 3_600_000 }))).toBe(1);
  expect(await queue.db.sql`select 1 from job_attempts`).toHaveLength(0);
});

test("a prune deletes at most as many jobs as its limit", async () => {
  await queue.addMany([{}, {}, {}]);
  for (const job of await queue.take(3)) await queue.finish(job);
  await queue.db.sql`update jobs set completed_at = clock_timestamp() - interval '2 hours'`;
  const pruneTwo = async () => queue.inTx(async (tx) => prune(tx, { completedMs: HOUR_MS, failedMs: HOUR_MS }, 2));
  expect([await pruneTwo(), await pruneTwo(), await pruneTwo()]).toEqual([2, 1, 0]);
});

test.each(WRONG_CLOCKS)(
  "retention is measured by the database's clock when the process's clock says %s",
  async (now) => {
    setProcessClock(now);
    await queue.add();
    await queue.finish(await queue.takeOne());
    expect(await queue.inTx(async (tx) => prune(tx, { completedMs: HOUR_MS, failedMs: HOUR_MS }))).toBe(0);
  },
);

test("pruneLimitKeys deletes the rate accounts of keys that were not in use for a day", async () => {
  await createQueue(queue.db.sql, "default");
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { perKey: { rate: { limit: 1, perMs: 1_000 } } }));
  await queue.addMany([{ limitKey: "waits" }, { limitKey: "waits" }, { limitKey: "idle" }]);
  await queue.db.sql`update limit_keys set arrival_at = clock_timestamp() - interval '2 days'`;
  await queue.add({ limitKey: "used" });
  await pruneLimitKeys(queue.db.sql);
  const left = await queue.db.sql<{ key: string }[]>`select key from limit_keys order by key`;
  expect(left.map((row) => row.key)).toEqual(["used", "waits"]);
});

test.each(WRONG_CLOCKS)("a rate account in use stays when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await createQueue(queue.db.sql, "default");
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { perKey: { rate: { limit: 1, perMs: HOUR_MS } } }));
  await queue.add({ limitKey: "k" });
  await pruneLimitKeys(queue.db.sql);
  expect(await queue.db.sql`select 1 from limit_keys`).toHaveLength(1);
});

test("pruneWorkers deletes workers that stopped an hour ago or were last seen a day ago", async () => {
  await queue.db.sql`
    insert into workers (id, host, pid, version, concurrency, state, heartbeat_at) values
      ('stopped', 'h', 1, '1', 1, 'stopped', now() - interval '2 hours'),
      ('stopped just now', 'h', 1, '1', 1, 'stopped', now()),
      ('silent', 'h', 1, '1', 1, 'active', now() - interval '2 hours'),
      ('lost', 'h', 1, '1', 1, 'active', now() - interval '2 days')`;
  await pruneWorkers(queue.db.sql);
  const left = await queue.db.sql<{ id: string }[]>`select id from workers order by id`;
  expect(left.map((row) => row.id)).toEqual(["silent", "stopped just now"]);
});
