import { deferred } from "../../../test/deferred.ts";
import { openQueue } from "../../../test/queue.ts";
import type { ClaimedJob } from "../claimed-job.ts";
import { InvalidJobError, LeaseLostError } from "../errors.ts";
import { heartbeat } from "../fleet/heartbeat.ts";
import type { Reaper } from "../fleet/reaping-delay.ts";
import { reportWorker } from "../fleet/register-worker.ts";
import type { Tx } from "../index.ts";
import { redrive } from "../operate/redrive.ts";
import { survey } from "../read/survey.ts";
import { complete } from "./complete.ts";
import { fail } from "./fail.ts";
import { reap } from "./reap.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue(4);
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const retry = { baseMs: 0, capMs: 0 };
const error = { name: "Error", message: "boom", stack: null };
const inTx = async <T>(work: (tx: Tx) => Promise<T>) => queue.db.transaction(work);
const reapAll = async (reaper?: Reaper) => reap(queue.db, { policyOf: () => retry, reaper });
const crash = async (job: ClaimedJob) => {
  await queue.expire(job.jobId);
  await reapAll();
};

test("a job survives three crashes, and the fourth makes it a dead letter; no retry is used", async () => {
  const { jobId } = await queue.add({ maxRetries: 0 });
  for (let crashCount = 1; crashCount <= 3; crashCount += 1) {
    await crash(await queue.takeOne());
    expect(await queue.read(jobId)).toMatchObject({ status: "queued", crashCount, retryCount: 0 });
  }
  const last = await queue.takeOne();
  expect(last.crashCount).toBe(3);
  await crash(last);
  const job = await queue.read(jobId);
  expect(job).toMatchObject({ status: "failed", crashCount: 3, retryCount: 0, maxCrashes: 3 });
  expect(job.error).toBe("Worker w stopped responding: its lease expired");
  expect(job.attempts.map((one) => one.outcome)).toEqual(Array.from({ length: 4 }, () => "lease_expired"));
});

test("errors and crashes have bounds of their own", async () => {
  const { jobId } = await queue.add({ maxRetries: 1, maxCrashes: 1 });
  await crash(await queue.takeOne());
  expect(await queue.failOne(await queue.takeOne())).toBe("queued");
  expect(await queue.read(jobId)).toMatchObject({ retryCount: 1, crashCount: 1 });
  const job = await queue.takeOne();
  expect(await inTx(async (tx) => fail(tx, job, { error, retry, outcome: "crashed" }))).toBe("failed");
  expect(await queue.read(jobId)).toMatchObject({
    retryCount: 1,
    crashCount: 1,
    attempts: [{ outcome: "lease_expired" }, { outcome: "failed" }, { outcome: "crashed" }],
  });
});

test.each([-1, 1.5, 101])("maxCrashes %s is refused by name, and nothing is stored", async (maxCrashes) => {
  await expect(queue.add({ maxCrashes })).rejects.toThrow(InvalidJobError);
  await expect(queue.add({ maxCrashes })).rejects.toThrow("maxCrashes must be a whole number from 0 to 100");
  expect(await queue.db.sql`select 1 from jobs`).toHaveLength(0);
});

test("the history of each job names the others that its worker ran when it died", async () => {
  await queue.addMany(Array.from({ length: 8 }, () => ({})));
  const ran = await queue.take(8);
  for (const { jobId } of ran.slice(0, 7)) await queue.expire(jobId);
  await reapAll();
  for (const { jobId } of ran.slice(0, 7)) {
    const { attempts, events } = await queue.read(jobId);
    const others = ran.map((one) => one.jobId).filter((id) => id !== jobId);
    const retrying = events.find((event) => event.type === "retrying");
    expect(retrying?.data).toMatchObject({ suspects: expect.arrayContaining(others) as string[] });
    expect(attempts[0]?.errorMessage).toMatch(
      /stopped responding: its lease expired while it also ran (t \S+, ){4}t \S+ and 2 more$/,
    );
  }
});

test("a heartbeat renews a lease that has expired, as after an outage, and the attempt goes on", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.expire(jobId);
  await expect(inTx(async (tx) => complete(tx, job))).rejects.toThrow(LeaseLostError);
  expect((await heartbeat(queue.db.sql, [job], 30_000)).kept.size).toBe(1);
  expect(await reapAll()).toEqual([]);
  expect(await inTx(async (tx) => complete(tx, job))).toBe(true);
  expect(await queue.read(jobId)).toMatchObject({ status: "completed", attempt: 1, crashCount: 0 });
});

test("a heartbeat renews nothing once the job was taken back, or its run is too old", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.expire(jobId);
  expect((await heartbeat(queue.db.sql, [{ ...job, maxAgeMs: 0 }], 30_000)).kept.size).toBe(0);
  await reapAll();
  expect((await heartbeat(queue.db.sql, [job], 30_000)).kept.size).toBe(0);
  const again = await queue.takeOne();
  expect((await heartbeat(queue.db.sql, [job], 30_000)).kept.size).toBe(0);
  expect((await heartbeat(queue.db.sql, [again], 30_000)).kept.size).toBe(1);
});

const reaper = { workerId: "reaper", heartbeatMs: 10_000 };
const report = async () =>
  reportWorker(queue.db.sql, {
    ...reaper,
    host: "h",
    pid: 1,
    version: "0",
    concurrency: 1,
    running: 0,
    state: "active",
    offers: [],
  });
/** Moves all that the registry knows of the reaper into the past. */
const age = async (interval: string) =>
  queue.db
    .sql`update workers set heartbeat_at = heartbeat_at - ${interval}::interval, contact_since = contact_since - ${interval}::interval`;

test("a worker reaps only after a heartbeat's time of contact: after an outage others renew their leases first", async () => {
  await queue.add();
  const job = await queue.takeOne();
  await queue.expire(job.jobId);
  // Not in the registry yet, then new in it.
  expect(await reapAll(reaper)).toEqual([]);
  await report();
  expect(await reapAll(reaper)).toEqual([]);
  expect((await survey(queue.db.sql, reaper)).leaseMs).toBeGreaterThan(5_000);
  await age("11 seconds");
  await report();
  expect((await survey(queue.db.sql, reaper)).leaseMs).toBeLessThanOrEqual(0);
  // The database was away: the reaper's own heartbeats have a gap, noticed before and after its next one.
  await age("21 seconds");
  expect(await reapAll(reaper)).toEqual([]);
  expect((await survey(queue.db.sql, reaper)).leaseMs).toBeGreaterThan(5_000);
  await report();
  expect(await reapAll(reaper)).toEqual([]);
  await age("11 seconds");
  await report();
  expect(await reapAll(reaper)).toMatchObject([{ jobId: job.jobId, status: "queued" }]);
});

test("where no job runs, no lease is due", async () => {
  await report();
  await age("11 seconds");
  await report();
  expect((await survey(queue.db.sql, reaper)).leaseMs).toBeNull();
});

test("a lock on the jobs is a gap in the contact of an idle worker as well", async () => {
  const [locked, unlock] = [deferred(), deferred()];
  const holding = queue.db.transaction(async (tx) => {
    await tx`lock table jobs in access exclusive mode`;
    locked.resolve();
    await unlock.promise;
  });
  await locked.promise;
  const beating = queue.db.transaction(async (tx) => {
    await tx`set local lock_timeout = 100`;
    return heartbeat(tx, [], 30_000);
  });
  await expect(beating).rejects.toThrow(/lock timeout/);
  unlock.resolve();
  await holding;
});

test("a dead letter that crashed often is queued again to run alone, with fewer crashes left", async () => {
  const { jobId } = await queue.add();
  for (let round = 0; round < 4; round += 1) await crash(await queue.takeOne());
  await inTx(async (tx) => redrive(tx, { ownerId: queue.ownerId, jobId }));
  expect((await queue.takeOne()).crashCount).toBe(2);
});
