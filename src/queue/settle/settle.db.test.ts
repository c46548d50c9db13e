import fc from "fast-check";
import { submitTurn } from "#conversation";
import { Listener } from "#db";
import { deferred } from "../../../test/deferred.ts";
import { openQueue } from "../../../test/queue.ts";
import { MAX_DELAY_MS } from "../check-job.ts";
import type { ClaimedJob } from "../claimed-job.ts";
import { InvalidJobError, JobConflictError, NotFoundError, LeaseLostError } from "../errors.ts";
import { appendEvents } from "../events/append-events.ts";
import { readEvents } from "../events/read-events.ts";
import { CANCEL_CHANNEL, READY_CHANNEL } from "../events/wake.ts";
import { heartbeat } from "../fleet/heartbeat.ts";
import type { Tx } from "../index.ts";
import { discard } from "../operate/discard.ts";
import { prune } from "../operate/prune.ts";
import { redrive } from "../operate/redrive.ts";
import { listDeadLetters } from "../read/dead-letters.ts";
import { cancel, settleCancelled } from "./cancel.ts";
import { complete, completeMany } from "./complete.ts";
import { fail } from "./fail.ts";
import { reap } from "./reap.ts";
import { release, releaseOrphans } from "./release.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const error = { name: "Error", message: "boom", stack: "Error: boom\n  at x" };
const retry = { baseMs: 0, capMs: 0 };
const inTx = async <T>(work: (tx: Tx) => Promise<T>) => queue.db.transaction(work);
const key = (jobId: string) => ({ ownerId: queue.ownerId, jobId });
const settles: [string, (tx: Tx, job: ClaimedJob) => Promise<unknown>][] = [
  ["complete", async (tx, job) => complete(tx, job, { result: { by: job.attempt } })],
  ["fail", async (tx, job) => fail(tx, job, { error, retry })],
  ["fail for good", async (tx, job) => fail(tx, job, { error, retry, permanent: true })],
  ["release", async (tx, job) => release(tx, job)],
  ["snooze", async (tx, job) => release(tx, job, { delayMs: 60_000 })],
  ["cancel", async (tx, job) => settleCancelled(tx, job)],
];
const everything = async () => queue.db.sql`
  select (select jsonb_agg(to_jsonb(j) - 'lease_expires_at' order by j.seq) from jobs j) as jobs,
    (select jsonb_agg(to_jsonb(a) order by a.job_id, a.attempt) from job_attempts a) as attempts,
    (select jsonb_agg(to_jsonb(e) order by e.job_id, e.seq) from job_events e) as events`;

test.each(
  settles.flatMap(([name, settle]) =>
    ["another worker", "zombie"].map((worker): [string, string, (typeof settles)[number][1]] => [name, worker, settle]),
  ),
)(
  "a zombie's %s changes nothing and is told, when its job was reaped and is run by %s",
  async (_name, workerId, settle) => {
    await queue.add();
    const zombie = await queue.takeOne({ workerId: "zombie" });
    await queue.expire(zombie.jobId);
    await reap(queue.db, { policyOf: () => retry });
    await queue.takeOne({ workerId });
    const before = await everything();
    await expect(inTx(async (tx) => settle(tx, zombie))).rejects.toThrow(LeaseLostError);
    await expect(
      queue.db.call(async (sql) => appendEvents(sql, zombie, { events: [{ type: "token", data: {} }], after: 0 })),
    ).rejects.toThrow(LeaseLostError);
    expect((await heartbeat(queue.db.sql, [zombie], 30_000)).kept.size).toBe(0);
    expect(await completeMany(queue.db.sql, [{ claim: zombie, result: null }])).toHaveLength(1);
    expect(await everything()).toEqual(before);
  },
);

test.each(settles)(
  "a zombie's %s changes nothing when its lease has expired and nobody has noticed",
  async (_name, settle) => {
    await queue.add();
    const zombie = await queue.takeOne();
    await queue.expire(zombie.jobId);
    const before = await everything();
    await expect(inTx(async (tx) => settle(tx, zombie))).rejects.toThrow(LeaseLostError);
    expect(await completeMany(queue.db.sql, [{ claim: zombie, result: null }])).toHaveLength(1);
    expect(await everything()).toEqual(before);
  },
);

test.each(settles)("a %s that is sent again because its answer was lost does nothing twice", async (_name, settle) => {
  await queue.add();
  const job = await queue.takeOne();
  await inTx(async (tx) => settle(tx, job));
  const before = await everything();
  await inTx(async (tx) => settle(tx, job));
  expect(await everything()).toEqual(before);
});

test("a job is completed once: the second call says so, so that its effects are not written again", async () => {
  await queue.add();
  const job = await queue.takeOne();
  expect(await inTx(async (tx) => complete(tx, job))).toBe(true);
  expect(await inTx(async (tx) => complete(tx, job))).toBe(false);
});

test("of many completions, those of another worker's claim or another attempt end nothing", async () => {
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

test("many are completed in one statement; those of threads, keys and dependents are left to complete", async () => {
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
  for (const { claim, result } of left) await inTx(async (tx) => complete(tx, claim, { result }));
  expect(await queue.take(10)).toHaveLength(1);
});

test("the delay before a retry is jittered, doubles and is capped", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1, max: 600_000 }),
      async (retryCount, baseMs, capMs) => {
        await queue.clear();
        const { jobId } = await queue.add({ maxRetries: 50 });
        const job = await queue.takeOne();
        await queue.db.sql`update jobs set retry_count = ${retryCount} where id = ${jobId}`;
        await inTx(async (tx) => fail(tx, job, { error, retry: { baseMs, capMs } }));
        const [row] = await queue.db.sql<{ ms: number }[]>`
        select (extract(epoch from run_at - (select ended_at from job_attempts where job_id = jobs.id)) * 1000)::float8 as ms from jobs`;
        const full = Math.min(baseMs * 2 ** retryCount, capMs);
        expect(row?.ms).toBeGreaterThan(full / 2 - 20);
        expect(row?.ms).toBeLessThan(full + 20);
      },
    ),
    { numRuns: 40 },
  );
});

test("a job without retries fails at once; with three it is executed four times, and its history tells all", async () => {
  const { jobId } = await queue.add({ maxRetries: 3 });
  const executions: number[] = [];
  for (let found = await queue.take(); found.length > 0; found = await queue.take()) {
    const [job] = found;
    executions.push(job?.attempt ?? 0);
    const outcome = executions.length % 2 === 0 ? "timed_out" : "failed";
    await inTx(async (tx) => fail(tx, job!, { error, retry, outcome }));
  }
  expect(executions).toEqual([1, 2, 3, 4]);
  const job = await queue.read(jobId);
  expect(job).toMatchObject({ status: "failed", retryCount: 3, crashCount: 0 });
  expect(job.attempts.map((one) => one.outcome)).toEqual(["failed", "timed_out", "failed", "timed_out"]);
  expect(job.attempts[0]).toMatchObject({
    errorName: "Error",
    errorMessage: "boom",
    errorStack: error.stack,
    workerId: "w",
  });
  const { jobId: fragile } = await queue.add({ maxRetries: 0 });
  expect(await queue.failOne(await queue.takeOne())).toBe("failed");
  expect((await queue.read(fragile)).attempts).toHaveLength(1);
});

test("cancelling a running job asks its worker, by notice and by heartbeat; a crash then ends it cancelled", async () => {
  const heard: string[] = [];
  const listening = deferred();
  const listener = new Listener({
    url: queue.url,
    channels: {
      [CANCEL_CHANNEL]: (payload) => (payload === undefined ? listening.resolve() : void heard.push(payload)),
    },
  });
  await listener.start();
  await listening.promise;
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  expect(await inTx(async (tx) => cancel(tx, key(jobId)))).toBe("running");
  await expect.poll(() => heard).toEqual([jobId]);
  expect((await heartbeat(queue.db.sql, [job], 30_000)).cancelled.size).toBe(1);
  await queue.expire(jobId);
  await reap(queue.db, { policyOf: () => retry });
  expect(await queue.read(jobId)).toMatchObject({ status: "cancelled", retryCount: 0 });
  expect(await inTx(async (tx) => cancel(tx, key(jobId)))).toBe("cancelled");
  await expect(inTx(async (tx) => cancel(tx, { ownerId: "other", jobId }))).rejects.toThrow(NotFoundError);
  await listener.stop();
});

test.each<[string, (tx: Tx, job: ClaimedJob) => Promise<unknown>]>([
  ["released", async (tx, job) => release(tx, job)],
  ["snoozed", async (tx, job) => release(tx, job, { delayMs: 60_000 })],
  ["failed, to be retried later", async (tx, job) => fail(tx, job, { error, retry: { baseMs: 1000, capMs: 1000 } })],
])("a job that is %s tells the workers, for it may be due before they would look", async (_name, settle) => {
  const listening = deferred();
  const heard: string[] = [];
  const listener = new Listener({
    url: queue.url,
    channels: {
      [READY_CHANNEL]: (payload) => (payload === undefined ? listening.resolve() : void heard.push(payload)),
    },
  });
  await listener.start();
  await listening.promise;
  await queue.add({ queue: "told", maxRetries: 1 });
  await expect.poll(() => heard).toEqual(["told"]);
  const job = await queue.takeOne();
  await queue.db.sql.begin(async (tx) => settle(tx, job));
  await expect.poll(() => heard).toEqual(["told", "told"]);
  await listener.stop();
});

test("an ended job cannot be cancelled", async () => {
  const { jobId } = await queue.add();
  await queue.finish(await queue.takeOne());
  await expect(inTx(async (tx) => cancel(tx, key(jobId)))).rejects.toThrow(JobConflictError);
});

test("a dead letter is queued again with all its retries, an edited payload, and a history without a gap", async () => {
  const { jobId } = await queue.add({ maxRetries: 1 });
  const job = await queue.takeOne();
  await queue.db.call(async (sql) =>
    appendEvents(sql, job, { events: [{ type: "token", data: { text: "a" } }], after: 0 }),
  );
  await queue.failOne(job);
  await queue.failOne(await queue.takeOne());
  expect((await listDeadLetters(queue.db.sql, { ownerId: queue.ownerId })).jobs).toHaveLength(1);
  await inTx(async (tx) => redrive(tx, key(jobId), { revise: async () => `{"edited":true}` }));
  const again = await queue.takeOne();
  expect(again).toMatchObject({ attempt: 3, payload: { edited: true }, retryCount: 0 });
  await inTx(async (tx) => complete(tx, again));
  const { events, attempts } = await queue.read(jobId);
  expect(events.map((event) => [event.seq, event.type])).toEqual([
    [1, "token"],
    [2, "retrying"],
    [3, "failed"],
    [4, "redriven"],
    [5, "completed"],
  ]);
  expect(attempts.map((one) => one.outcome)).toEqual(["failed", "failed", "completed"]);
  await expect(inTx(async (tx) => redrive(tx, key(jobId)))).rejects.toThrow(JobConflictError);
});

test.each<[number, string]>([
  [Number.NaN, "the policy's"],
  [Number.POSITIVE_INFINITY, "the policy's"],
  [-5, "none"],
  [1e300, "the longest"],
])("a failure that asks for a delay of %d ms gets %s", async (delayMs, which) => {
  await queue.add();
  const job = await queue.takeOne();
  await inTx(async (tx) => fail(tx, job, { error, retry: { baseMs: 60_000, capMs: 60_000 }, delayMs }));
  const [row] = await queue.db.sql<{ ms: number }[]>`
    select (extract(epoch from run_at - clock_timestamp()) * 1000)::float8 as ms from jobs`;
  const [least, most] = {
    "the policy's": [25_000, 60_000],
    none: [-5_000, 0],
    "the longest": [MAX_DELAY_MS - 5_000, MAX_DELAY_MS],
  }[which] ?? [0, 0];
  expect(row?.ms).toBeGreaterThanOrEqual(least ?? 0);
  expect(row?.ms).toBeLessThanOrEqual(most ?? 0);
});

test("a result that cannot be stored is refused by name, and keeps none of the others from being stored", async () => {
  await queue.addMany([{}, {}, {}]);
  const [good, bad, fine] = await queue.take(3);
  const left = await completeMany(queue.db.sql, [
    { claim: good!, result: "\\u0000" },
    { claim: bad!, result: { text: "a\u0000" } },
    { claim: fine!, result: null },
  ]);
  expect(left.map(({ claim }) => claim.jobId)).toEqual([bad?.jobId]);
  await expect(inTx(async (tx) => complete(tx, bad!, { result: { text: "a\u0000" } }))).rejects.toThrow(
    InvalidJobError,
  );
  expect(await queue.statusOf(bad?.jobId ?? "")).toBe("running");
});

test("one job that cannot be taken back keeps none of the others waiting", async () => {
  await queue.addMany([{}, {}, {}]);
  const [stuck] = await queue.take(3, { leaseMs: 1 });
  await queue.db
    .sql`update jobs set lease_expires_at = clock_timestamp() - interval '1 hour' where id = ${stuck?.jobId ?? ""}`;
  // Its history has the attempt already, which no way of the product's leads to.
  await queue.db.sql`
    insert into job_attempts (job_id, attempt, worker_id, ended_at, outcome) values (${stuck?.jobId ?? ""}, 1, 'w', now(), 'failed')`;
  await expect.poll(async () => reap(queue.db, { policyOf: () => retry }).catch(String)).toContain("job_attempts");
  expect(await queue.take(5)).toHaveLength(2);
});

test("a redrive does not make a second unfinished job of a unique key", async () => {
  const { jobId } = await queue.add({ uniqueKey: "u", maxRetries: 0 });
  await queue.failOne(await queue.takeOne());
  await queue.add({ uniqueKey: "u" });
  await expect(inTx(async (tx) => redrive(tx, key(jobId)))).rejects.toThrow(/same uniqueKey/);
});

test("a job whose retry waits is run now", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  await inTx(async (tx) => fail(tx, job, { error, retry, delayMs: 60_000 }));
  expect(await queue.take()).toEqual([]);
  await inTx(async (tx) => redrive(tx, key(jobId)));
  expect((await queue.takeOne()).retryCount).toBe(1);
});

test("a discarded dead letter is no longer listed; only failed jobs can be discarded", async () => {
  const { jobId } = await queue.add({ maxRetries: 0 });
  await expect(inTx(async (tx) => discard(tx, key(jobId)))).rejects.toThrow(JobConflictError);
  await queue.failOne(await queue.takeOne());
  await inTx(async (tx) => discard(tx, key(jobId)));
  expect((await listDeadLetters(queue.db.sql, { ownerId: queue.ownerId })).jobs).toEqual([]);
  expect(await queue.statusOf(jobId)).toBe("failed");
});

test("events are read once and in order from any number, and end with the closing one", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  const append = async (after: number, count: number) =>
    queue.db.call(async (sql) =>
      appendEvents(sql, job, {
        after,
        events: Array.from({ length: count }, (_, n) => ({ type: "token", data: { n: after + n } })),
      }),
    );
  expect(await append(0, 3)).toBe(3);
  expect(await append(3, 2)).toBe(5);
  expect(await append(3, 2)).toBe(5);
  const page = async (after: number, limit = 100) => readEvents(queue.db.sql, key(jobId), { after, limit });
  expect((await page(2)).events.map((event) => event.seq)).toEqual([3, 4, 5]);
  expect((await page(2)).closed).toBe(false);
  await inTx(async (tx) => complete(tx, job));
  expect(await page(0, 2)).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }], closed: false });
  expect(await page(4)).toMatchObject({ events: [{ seq: 5 }, { seq: 6, type: "completed" }], closed: true });
  expect(await page(6)).toEqual({ events: [], closed: true });
  await expect(readEvents(queue.db.sql, { ownerId: "other", jobId }, { after: 0, limit: 1 })).rejects.toThrow(
    NotFoundError,
  );
});

test("what a worker holds without knowing is given back, without using a retry", async () => {
  await queue.addMany([{}, {}]);
  const known = await queue.takeOne({ workerId: "w" });
  await queue.takeOne({ workerId: "w" });
  expect(await releaseOrphans(queue.db.sql, "w", [known])).toBe(1);
  expect(await queue.statusOf(known.jobId)).toBe("running");
  expect(await queue.takeOne()).toMatchObject({ attempt: 2, retryCount: 0 });
});

test("ended jobs are pruned by age and status, with their history; conversations keep their messages", async () => {
  await inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello" }));
  const [done, failed, fresh, open] = await queue.addMany([{}, { maxRetries: 0 }, {}, {}]);
  const jobs = await queue.take(4);
  await inTx(async (tx) => complete(tx, jobs[0]!));
  await inTx(async (tx) => complete(tx, jobs[1]!));
  await queue.failOne(jobs[2]!, true);
  await inTx(async (tx) => complete(tx, jobs[3]!));
  await queue.db
    .sql`update jobs set completed_at = clock_timestamp() - interval '2 hours' where status in ('completed', 'failed') and id <> ${fresh?.jobId ?? ""}`;
  expect(await queue.db.transaction(async (tx) => prune(tx, { completedMs: 3_600_000, failedMs: 86_400_000 }))).toBe(2);
  const left = await queue.db.sql<{ id: string }[]>`select id from jobs`;
  expect(new Set(left.map((row) => row.id))).toEqual(new Set([failed, fresh, open].map((job) => job?.jobId)));
  expect(left.map((row) => row.id)).not.toContain(done?.jobId);
  expect(await queue.db.sql`select content, job_id from messages`).toEqual([{ content: "hello", job_id: null }]);
  expect(await queue.db.transaction(async (tx) => prune(tx, { completedMs: 3_600_000, failedMs: 3_600_000 }))).toBe(1);
  expect(await queue.db.sql`select 1 from job_attempts`).toHaveLength(0);
});
