import type { Tx } from "#db";
import { AT_ONCE, BOOM, setUpQueue } from "../../test/queue.ts";
import type { ClaimedJob } from "./claimed-job.ts";
import { LeaseLostError } from "./errors.ts";
import { appendEvents } from "./events/append-events.ts";
import { heartbeat } from "./fleet/heartbeat.ts";
import { settleCancelled } from "./settle/cancel.ts";
import { complete } from "./settle/complete.ts";
import { completeMany } from "./settle/complete-many.ts";
import { fail } from "./settle/fail.ts";
import { park } from "./settle/park.ts";
import { reap } from "./settle/reap.ts";
import { release } from "./settle/release.ts";
import { expect, test } from "vitest";

/*
 * One owner: a write for a job takes effect only while its attempt holds an unexpired lease, whatever the verb.
 */
const queue = setUpQueue();
const settles: [string, (tx: Tx, job: ClaimedJob) => Promise<unknown>][] = [
  ["completion", async (tx, job) => complete(tx, job, { result: { by: job.attempt } })],
  ["failure", async (tx, job) => fail(tx, job, { error: BOOM, retry: AT_ONCE })],
  ["permanent failure", async (tx, job) => fail(tx, job, { error: BOOM, retry: AT_ONCE, permanent: true })],
  ["release", async (tx, job) => release(tx, job)],
  ["snooze", async (tx, job) => release(tx, job, { delayMs: 60_000 })],
  [
    "park",
    async (tx, job) => park(tx, job, [{ id: "q", kind: "approval", value: null, schema: null, deadlineMs: null }]),
  ],
  ["cancellation", async (tx, job) => settleCancelled(tx, job)],
];
const everything = async () => queue.db.sql`
  select (select jsonb_agg(to_jsonb(j) - 'lease_expires_at' order by j.seq) from jobs j) as jobs,
    (select jsonb_agg(to_jsonb(a) order by a.job_id, a.attempt) from job_attempts a) as attempts,
    (select jsonb_agg(to_jsonb(i) order by i.job_id, i.interrupt_id) from job_interrupts i) as interrupts,
    (select jsonb_agg(to_jsonb(e) order by e.job_id, e.seq) from job_events e) as events`;

test.each(
  settles.flatMap(([name, settle]) =>
    ["another worker", "the same worker"].map((worker): [string, string, (typeof settles)[number][1]] => [
      name,
      worker,
      settle,
    ]),
  ),
)(
  "the %s of a reaped attempt changes nothing and throws LeaseLostError, while %s runs the job",
  async (_name, workerId, settle) => {
    await queue.add();
    const lost = await queue.takeOne({ workerId: "the same worker" });
    await queue.expire(lost.jobId);
    await reap(queue.db, { policyOf: () => AT_ONCE });
    await queue.takeOne({ workerId });
    const before = await everything();
    await expect(queue.inTx(async (tx) => settle(tx, lost))).rejects.toThrow(LeaseLostError);
    await expect(
      queue.db.call(async (sql) => appendEvents(sql, lost, { events: [{ type: "token", data: {} }], after: 0 })),
    ).rejects.toThrow(LeaseLostError);
    expect((await heartbeat(queue.db.sql, [lost], 30_000)).kept.size).toBe(0);
    expect(await completeMany(queue.db.sql, [{ claim: lost, result: null }])).toHaveLength(1);
    expect(await everything()).toEqual(before);
  },
);

test.each(settles)(
  "the %s of an attempt changes nothing once its lease has expired, though nobody has reaped it",
  async (_name, settle) => {
    await queue.add();
    const lost = await queue.takeOne();
    await queue.expire(lost.jobId);
    const before = await everything();
    await expect(queue.inTx(async (tx) => settle(tx, lost))).rejects.toThrow(LeaseLostError);
    expect(await completeMany(queue.db.sql, [{ claim: lost, result: null }])).toHaveLength(1);
    expect(await everything()).toEqual(before);
  },
);

test.each(settles)("a %s that is sent again, as after a lost answer, changes nothing", async (_name, settle) => {
  await queue.add();
  const job = await queue.takeOne();
  await queue.inTx(async (tx) => settle(tx, job));
  const before = await everything();
  await queue.inTx(async (tx) => settle(tx, job));
  expect(await everything()).toEqual(before);
});

test.each([
  ["the wrong worker", (job: ClaimedJob) => ({ ...job, workerId: "other" })],
  ["an old attempt", (job: ClaimedJob) => ({ ...job, attempt: job.attempt - 1 })],
])("a claim with %s changes nothing and throws LeaseLostError", async (_name, wrong) => {
  const { jobId } = await queue.add();
  const job = wrong(await queue.takeOne());
  await expect(queue.inTx(async (tx) => complete(tx, job))).rejects.toThrow(LeaseLostError);
  await expect(queue.inTx(async (tx) => fail(tx, job, { error: BOOM, retry: AT_ONCE }))).rejects.toThrow(
    LeaseLostError,
  );
  await expect(queue.inTx(async (tx) => release(tx, job))).rejects.toThrow(LeaseLostError);
  expect((await heartbeat(queue.db.sql, [job], 30_000)).kept.size).toBe(0);
  expect(await queue.read(jobId)).toMatchObject({ status: "running", workerId: "w", attempt: 1 });
});
