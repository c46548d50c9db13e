import { AT_ONCE, setProcessClock, setUpQueue, WORKER, WRONG_CLOCKS } from "../../../test/queue.ts";
import type { Reaper } from "../fleet/reaping-delay.ts";
import { reportWorker } from "../fleet/register-worker.ts";
import { survey } from "../read/survey.ts";
import { reap } from "./reap.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const reapAll = async (reaper?: Reaper) => reap(queue.db, { policyOf: () => AT_ONCE, reaper });

test("several reapers take back an expired job once, and use no retry", async () => {
  const { jobId } = await queue.add({ maxCrashes: 1 });
  await queue.takeOne();
  await queue.expire(jobId);
  const reaped = await Promise.all([
    reap(queue.db, { policyOf: () => AT_ONCE }),
    reap(queue.db, { policyOf: () => AT_ONCE }),
    reap(queue.db, { policyOf: () => AT_ONCE }),
  ]);
  expect(reaped.flat()).toHaveLength(1);
  expect(await queue.read(jobId)).toMatchObject({ status: "queued", retryCount: 0, crashCount: 1 });
  await queue.takeOne();
  await queue.expire(jobId);
  await reap(queue.db, { policyOf: () => AT_ONCE });
  expect(await queue.read(jobId)).toMatchObject({ status: "failed", retryCount: 0, crashCount: 1 });
});

test("the fourth crash of a job makes it a dead letter and uses no retry", async () => {
  const { jobId } = await queue.add({ maxRetries: 0 });
  for (let crashCount = 1; crashCount <= 3; crashCount += 1) {
    await queue.crash(await queue.takeOne());
    expect(await queue.read(jobId)).toMatchObject({ status: "queued", crashCount, retryCount: 0 });
  }
  const last = await queue.takeOne();
  expect(last.crashCount).toBe(3);
  await queue.crash(last);
  const job = await queue.read(jobId);
  expect(job).toMatchObject({ status: "failed", crashCount: 3, retryCount: 0, maxCrashes: 3 });
  expect(job.error).toBe("Worker w stopped responding: its lease expired");
  expect(job.attempts.map((one) => one.outcome)).toEqual(Array.from({ length: 4 }, () => "lease_expired"));
});

test("the history of a crashed job names the other jobs that its worker ran", async () => {
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

test("a job that cannot be taken back does not stop the others", async () => {
  await queue.addMany([{}, {}, {}]);
  const [stuck] = await queue.take(3, { leaseMs: 1 });
  await queue.db
    .sql`update jobs set lease_expires_at = clock_timestamp() - interval '1 hour' where id = ${stuck?.jobId ?? ""}`;
  // The product never writes this row; it makes the transaction that takes the job back fail.
  await queue.db.sql`
    insert into job_attempts (job_id, attempt, worker_id, ended_at, outcome) values (${stuck?.jobId ?? ""}, 1, 'w', now(), 'failed')`;
  await expect.poll(async () => reap(queue.db, { policyOf: () => AT_ONCE }).catch(String)).toContain("job_attempts");
  expect(await queue.take(5)).toHaveLength(2);
});

const reaper = { workerId: "reaper", heartbeatMs: 10_000 };
/** Moves the reaper's registry entry into the past. */
const age = async (interval: string) =>
  queue.db
    .sql`update workers set heartbeat_at = heartbeat_at - ${interval}::interval, contact_since = contact_since - ${interval}::interval`;

test("a worker reaps only after one heartbeat's time of contact, so that after an outage others renew their leases first", async () => {
  await queue.add();
  const job = await queue.takeOne();
  await queue.expire(job.jobId);
  // The reaper is not in the registry, then new in it.
  expect(await reapAll(reaper)).toEqual([]);
  await reportWorker(queue.db.sql, { ...WORKER, ...reaper });
  expect(await reapAll(reaper)).toEqual([]);
  expect((await survey(queue.db.sql, reaper)).leaseMs).toBeGreaterThan(5_000);
  await age("11 seconds");
  await reportWorker(queue.db.sql, { ...WORKER, ...reaper });
  expect((await survey(queue.db.sql, reaper)).leaseMs).toBeLessThanOrEqual(0);
  // As after an outage: the reaper's heartbeats have a gap, before and after its next report.
  await age("21 seconds");
  expect(await reapAll(reaper)).toEqual([]);
  expect((await survey(queue.db.sql, reaper)).leaseMs).toBeGreaterThan(5_000);
  await reportWorker(queue.db.sql, { ...WORKER, ...reaper });
  expect(await reapAll(reaper)).toEqual([]);
  await age("11 seconds");
  await reportWorker(queue.db.sql, { ...WORKER, ...reaper });
  expect(await reapAll(reaper)).toMatchObject([{ jobId: job.jobId, status: "queued" }]);
});

test.each(WRONG_CLOCKS)("a lease is judged by the database's clock when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await queue.add();
  await queue.takeOne({ leaseMs: 60_000 });
  expect(await reapAll()).toEqual([]);
  const { leaseMs } = await survey(queue.db.sql);
  expect(leaseMs).toBeGreaterThan(20_000);
  expect(leaseMs).toBeLessThanOrEqual(60_000);
});
