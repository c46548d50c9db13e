import { deferred } from "../../../test/deferred.ts";
import { AT_ONCE, HOUR_MS, setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import { claimKey } from "../claimed-job.ts";
import { LeaseLostError } from "../errors.ts";
import { survey } from "../read/survey.ts";
import { cancel } from "../settle/cancel.ts";
import { complete } from "../settle/complete.ts";
import { reap } from "../settle/reap.ts";
import { heartbeat, nameJobs } from "./heartbeat.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a heartbeat extends the leases of all its claims and says which jobs are to be cancelled", async () => {
  await queue.addMany([{}, {}]);
  const jobs = await queue.take(2, { leaseMs: 1_000 });
  await queue.inTx(async (tx) => cancel(tx, queue.keyOf(jobs[0]?.jobId)));
  const { kept, cancelled } = await heartbeat(queue.db.sql, jobs, 600_000);
  expect(kept).toEqual(new Set(jobs.map(claimKey)));
  expect(cancelled).toEqual(new Set(jobs.slice(0, 1).map(claimKey)));
  expect((await survey(queue.db.sql)).leaseMs).toBeGreaterThan(500_000);
});

test("a heartbeat renews a lease that has expired, as after an outage, and the attempt continues", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.expire(jobId);
  await expect(queue.inTx(async (tx) => complete(tx, job))).rejects.toThrow(LeaseLostError);
  expect((await heartbeat(queue.db.sql, [job], 30_000)).kept.size).toBe(1);
  expect(await reap(queue.db, { policyOf: () => AT_ONCE })).toEqual([]);
  expect(await queue.inTx(async (tx) => complete(tx, job))).toBe(true);
  expect(await queue.read(jobId)).toMatchObject({ status: "completed", attempt: 1, crashCount: 0 });
});

test("a heartbeat renews neither the lease of a reaped attempt nor the lease of a run that is too old", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.expire(jobId);
  expect((await heartbeat(queue.db.sql, [{ ...job, maxAgeMs: 0 }], 30_000)).kept.size).toBe(0);
  await reap(queue.db, { policyOf: () => AT_ONCE });
  expect((await heartbeat(queue.db.sql, [job], 30_000)).kept.size).toBe(0);
  const again = await queue.takeOne();
  expect((await heartbeat(queue.db.sql, [job], 30_000)).kept.size).toBe(0);
  expect((await heartbeat(queue.db.sql, [again], 30_000)).kept.size).toBe(1);
});

test("a heartbeat without claims waits for a lock on the jobs as well, so that an idle worker notices the gap", async () => {
  const [locked, unlock] = [deferred(), deferred()];
  const holding = queue.inTx(async (tx) => {
    await tx`lock table jobs in access exclusive mode`;
    locked.resolve();
    await unlock.promise;
  });
  await locked.promise;
  const beating = queue.inTx(async (tx) => {
    await tx`set local lock_timeout = 100`;
    return heartbeat(tx, [], 30_000);
  });
  await expect(beating).rejects.toThrow(/lock timeout/);
  unlock.resolve();
  await holding;
});

test.each(WRONG_CLOCKS)(
  "a run's age is measured by the database's clock when the process's clock says %s",
  async (now) => {
    setProcessClock(now);
    await queue.add();
    const job = await queue.takeOne();
    expect((await heartbeat(queue.db.sql, [{ ...job, maxAgeMs: HOUR_MS }], 60_000)).kept.size).toBe(1);
    const { leaseMs } = await survey(queue.db.sql);
    expect(leaseMs).toBeGreaterThan(20_000);
    expect(leaseMs).toBeLessThanOrEqual(60_000);
  },
);

test("nameJobs gives the types of the claimed jobs", async () => {
  const { jobId } = await queue.add({ jobType: "export" });
  expect(await nameJobs(queue.db.sql, [await queue.takeOne()])).toEqual([{ jobId, jobType: "export" }]);
});
