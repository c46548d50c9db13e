import { Database } from "#db";
import { setUpQueue } from "../../../test/queue.ts";
import { claim } from "./claim.ts";
import { completeAndClaim } from "./complete-and-claim.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

const queue = setUpQueue(2);
let db: Database;
beforeAll(async () => {
  db = new Database({ url: queue.url, maxConnections: 4, avoidTableScans: true });
});
afterAll(async () => db.close());

const options = { workerId: "w", leaseMs: 30_000 };

test("one statement completes the worker's jobs and claims the next, and completes nothing for a lost lease", async () => {
  const ids = (await queue.addMany(Array.from({ length: 6 }, () => ({})))).map((job) => job.jobId);
  const first = await claim(db.sql, { ...options, limit: 3 });
  const [own, zombie, other] = first.jobs;
  if (!own || !zombie || !other || !first.line) throw new Error("nothing was claimed");
  await queue.expire(zombie.jobId);
  const { left, ...next } = await completeAndClaim(
    db.sql,
    [
      { claim: own, result: { n: 1 } },
      { claim: zombie, result: { n: 2 } },
      { claim: { ...other, attempt: 7 }, result: null },
    ],
    { ...options, limit: 2, line: first.line },
  );
  expect(left.map((one) => one.claim.jobId)).toEqual([zombie.jobId, other.jobId]);
  expect(next.jobs.map((job) => job.jobId)).toEqual(ids.slice(3, 5));
  expect(await queue.statusOf(own.jobId)).toBe("completed");
  expect(await queue.statusOf(zombie.jobId)).toBe("running");
  expect(await queue.statusOf(other.jobId)).toBe("running");
});

test("the statement claims beyond the line, also when it can complete nothing", async () => {
  const [, threaded] = await queue.addMany([{}, { threadId: "00000000-0000-7000-8000-000000000001" }, {}]);
  const first = await claim(db.sql, { ...options, limit: 2 });
  if (!first.line) throw new Error("there is no line");
  const [urgent] = await queue.addMany([{ priority: 3 }, { ownerId: "other" }]);
  const { left, ...next } = await completeAndClaim(
    db.sql,
    first.jobs.map((one) => ({ claim: one, result: null })),
    { ...options, limit: 2, line: first.line },
  );
  expect(left.map((one) => one.claim.jobId)).toEqual([threaded?.jobId]);
  expect(next.jobs).toHaveLength(2);
  expect(next.jobs[0]?.jobId).toBe(urgent?.jobId);
  const again = await completeAndClaim(db.sql, left, { ...options, limit: 5, line: first.line });
  expect(again.left).toEqual(left);
  expect(again.jobs).toHaveLength(1);
});

test("a completion that waits for a lock holds no claimable job, so that two workers never deadlock", async () => {
  const ids = (await queue.addMany([{}, {}, {}])).map((job) => job.jobId);
  const first = await claim(db.sql, { ...options, limit: 1 });
  if (!first.line) throw new Error("there is no line");
  const { line } = first;
  const { sql } = db;
  const { waiting, others } = await sql.begin(async (tx) => {
    // Stands for a claim that began earlier: it holds the row and waits for nobody.
    await tx`select 1 from jobs where id = ${ids[0] ?? null} for update`;
    const both = completeAndClaim(
      sql,
      first.jobs.map((one) => ({ claim: one, result: null })),
      { ...options, limit: 1, line },
    );
    const isWaiting = async () => {
      const [row] = await sql<{ count: number }[]>`
        select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.count;
    };
    await expect.poll(isWaiting, { interval: 5 }).toBe(1);
    const claimed = await claim(sql, { ...options, workerId: "other", limit: 1, line });
    return { waiting: both, others: claimed };
  });
  expect(others.jobs.map((job) => job.jobId)).toEqual([ids[1]]);
  const { left, jobs } = await waiting;
  expect(left).toEqual([]);
  expect(jobs.map((job) => job.jobId)).toEqual([ids[2]]);
});
