import { setUpQueue } from "../../../test/queue.ts";
import { InvalidJobError, LeaseLostError } from "../errors.ts";
import { complete } from "./complete.ts";
import { completeMany } from "./complete-many.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a completed job has its result and the time of its end, and neither worker nor lease", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => complete(tx, job, { result: { ok: true } }));
  const view = await queue.read(jobId);
  expect(view).toMatchObject({ status: "completed", workerId: null, leaseExpiresAt: null, result: { ok: true } });
  expect(view.completedAt).not.toBeNull();
  expect(view.events.map((event) => [event.seq, event.type])).toEqual([[1, "completed"]]);
  expect(view.attempts).toMatchObject([{ attempt: 1, outcome: "completed" }]);
});

test("complete returns true once and false when it is sent again, so that effects are written once", async () => {
  await queue.add();
  const job = await queue.takeOne();
  expect(await queue.inTx(async (tx) => complete(tx, job))).toBe(true);
  expect(await queue.inTx(async (tx) => complete(tx, job))).toBe(false);
});

test("complete throws LeaseLostError once the lease has expired", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await queue.expire(jobId);
  await expect(queue.inTx(async (tx) => complete(tx, job))).rejects.toThrow(LeaseLostError);
});

test("a result that PostgreSQL cannot store is refused by name, and the other results are stored", async () => {
  await queue.addMany([{}, {}, {}]);
  const [good, bad, fine] = await queue.take(3);
  const left = await completeMany(queue.db.sql, [
    { claim: good!, result: "\\u0000" },
    { claim: bad!, result: { text: "a\u0000" } },
    { claim: fine!, result: null },
  ]);
  expect(left.map(({ claim }) => claim.jobId)).toEqual([bad?.jobId]);
  await expect(queue.inTx(async (tx) => complete(tx, bad!, { result: { text: "a\u0000" } }))).rejects.toThrow(
    InvalidJobError,
  );
  expect(await queue.statusOf(bad?.jobId ?? "")).toBe("running");
});

test("completeMany leaves jobs of a thread, of a limited key or with dependents to complete", async () => {
  const [, threaded, limited, depended] = await queue.addMany([
    {},
    { threadId: "00000000-0000-7000-8000-000000000001" },
    { limitKey: "k" },
    {},
  ]);
  await queue.add({ after: [depended?.jobId ?? ""] });
  const jobs = await queue.take(10);
  expect(jobs).toHaveLength(4);
  const left = await completeMany(
    queue.db.sql,
    jobs.map((claim) => ({ claim, result: { n: 1 } })),
  );
  expect(new Set(left.map(({ claim }) => claim.jobId))).toEqual(
    new Set([threaded, limited, depended].map((job) => job?.jobId)),
  );
  for (const { claim, result } of left) await queue.inTx(async (tx) => complete(tx, claim, { result }));
  expect(await queue.take(10)).toHaveLength(1);
});

test("completeMany leaves the claims of another worker and of another attempt alone", async () => {
  await queue.add();
  const job = await queue.takeOne();
  const claims = [
    { ...job, workerId: "another" },
    { ...job, attempt: job.attempt + 1 },
  ];
  const left = await completeMany(
    queue.db.sql,
    claims.map((claim) => ({ claim, result: null })),
  );
  expect(left).toHaveLength(2);
  expect(await queue.statusOf(job.jobId)).toBe("running");
});
