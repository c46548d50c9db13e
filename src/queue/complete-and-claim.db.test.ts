import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openQueue } from "../../test/queue.ts";
import { claim, completeAndClaim } from "./index.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue(2);
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const options = { workerId: "w", leaseMs: 30_000 };

test("what is completed and claimed in one statement is what either would do; a zombie completes nothing", async () => {
  const ids = (await queue.addMany(Array.from({ length: 6 }, () => ({})))).map((job) => job.jobId);
  const first = await claim(queue.db.sql, { ...options, limit: 3 });
  const [own, zombie, other] = first.jobs;
  if (!own || !zombie || !other || !first.line) throw new Error("nothing was claimed");
  await queue.expire(zombie.jobId);
  const { left, ...next } = await completeAndClaim(
    queue.db.sql,
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

test("what is completed and claimed in one statement goes on beyond the line, and where nothing can be completed so", async () => {
  const [, threaded] = await queue.addMany([{}, { threadId: "00000000-0000-7000-8000-000000000001" }, {}]);
  const first = await claim(queue.db.sql, { ...options, limit: 2 });
  if (!first.line) throw new Error("there is no line");
  const [urgent] = await queue.addMany([{ priority: 3 }, { ownerId: "other" }]);
  const { left, ...next } = await completeAndClaim(
    queue.db.sql,
    first.jobs.map((one) => ({ claim: one, result: null })),
    { ...options, limit: 2, line: first.line },
  );
  expect(left.map((one) => one.claim.jobId)).toEqual([threaded?.jobId]);
  expect(next.jobs).toHaveLength(2);
  expect(next.jobs[0]?.jobId).toBe(urgent?.jobId);
  const again = await completeAndClaim(queue.db.sql, left, { ...options, limit: 5, line: first.line });
  expect(again.left).toEqual(left);
  expect(again.jobs).toHaveLength(1);
});
