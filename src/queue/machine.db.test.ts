import fc from "fast-check";
import { answer } from "#conversation";
import { PLACES, RULES } from "../../test/queue-rules.ts";
import { AT_ONCE, BOOM, setUpQueue } from "../../test/queue.ts";
import type { ClaimedJob } from "./claimed-job.ts";
import { JobConflictError, LeaseLostError } from "./errors.ts";
import { appendEvents } from "./events/append-events.ts";
import { heartbeat } from "./fleet/heartbeat.ts";
import type { Tx } from "./index.ts";
import { changePriority } from "./operate/change-priority.ts";
import { discard } from "./operate/discard.ts";
import { pauseJobType, pauseQueue } from "./operate/pause.ts";
import { createQueue, setQueueLimits } from "./operate/queue-limits.ts";
import { redrive } from "./operate/redrive.ts";
import { admitDueKey, findDueKeys } from "./ready/admit.ts";
import { promote } from "./ready/promote.ts";
import { sweepPaused } from "./ready/sweep-paused.ts";
import { cancel, settleCancelled } from "./settle/cancel.ts";
import { complete } from "./settle/complete.ts";
import { completeMany } from "./settle/complete-many.ts";
import { expireInterrupts } from "./settle/expire-interrupts.ts";
import { fail } from "./settle/fail.ts";
import { park } from "./settle/park.ts";
import { reap } from "./settle/reap.ts";
import { release } from "./settle/release.ts";
import { releaseOrphans } from "./settle/release-orphans.ts";
import { expect, test } from "vitest";

/*
 * The state machine under random interleavings of all verbs by several workers. After every step the tables keep the
 * invariants and lost claims have changed nothing. In the end every job ends.
 */
const queue = setUpQueue(4);

const THREADS = ["00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"];

const pick = fc.nat({ max: 1_000 });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      verb: fc.constant("enqueue" as const),
      thread: fc.nat({ max: 3 }),
      key: fc.nat({ max: 3 }),
      after: fc.nat({ max: 12 }),
      anyway: fc.boolean(),
      delayed: fc.nat({ max: 5 }),
      priority: fc.nat({ max: 2 }),
      maxRetries: fc.nat({ max: 2 }),
      owner: fc.nat({ max: 3 }),
      batch: fc.integer({ min: 1, max: 3 }),
      idempotent: fc.nat({ max: 20 }),
      unique: fc.nat({ max: 20 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      verb: fc.constant("claim" as const),
      worker: fc.nat({ max: 2 }),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      verb: fc.constantFrom(
        "complete" as const,
        "fail" as const,
        "failForGood" as const,
        "crash" as const,
        "release" as const,
        "snooze" as const,
        "park" as const,
        "settleCancelled" as const,
        "completeMany" as const,
        "appendEvents" as const,
        "heartbeat" as const,
      ),
      pick,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constantFrom("cancel" as const, "redrive" as const, "discard" as const, "changePriority" as const),
      pick,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      verb: fc.constantFrom(
        "expire" as const,
        "reap" as const,
        "makeDue" as const,
        "admit" as const,
        "pause" as const,
        "resume" as const,
        "pauseType" as const,
        "resumeType" as const,
        "sweep" as const,
        "releaseOrphans" as const,
        "answer" as const,
        "passDeadlines" as const,
      ),
      pick,
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface World {
  jobs: { jobId: string; ownerId: string }[];
  /** Every claim so far; most of them are stale. */
  claims: ClaimedJob[];
  redrives: Map<string, number>;
}

async function snapshot(): Promise<unknown> {
  const [row] = await queue.db.sql`
    select md5(coalesce((select string_agg(j::text, '|' order by j.seq) from jobs j), '')) as jobs,
      (select count(*) from job_attempts)::int as attempts, (select count(*) from job_events)::int as events`;
  return row;
}

/** A heartbeat renews an expired lease until the job is reaped; every other verb needs an unexpired lease. */
async function mayAct({ jobId, attempt, workerId }: ClaimedJob, verb: string): Promise<boolean> {
  const { length } = await queue.db.sql`
    select 1 from jobs where id = ${jobId} and attempt = ${attempt} and worker_id = ${workerId} and status = 'running'
      and (${verb === "heartbeat"} or lease_expires_at > clock_timestamp())`;
  return length > 0;
}

/** Two attempts in a row ask the same question, like a graph that was interrupted before it took its answer. */
const question = ({ attempt }: ClaimedJob) => ({
  id: `question ${Math.floor(attempt / 2)}`,
  kind: "question",
  value: null,
  schema: { type: "string" },
  deadlineMs: attempt % 3 === 0 ? null : 60_000,
  ...(attempt % 2 === 0 && { default: null }),
});

const prioritize = async (tx: Tx, job: { jobId: string; ownerId: string }) => changePriority(tx, job, 1);

async function answerOne(choice: number, alone: boolean): Promise<void> {
  const asked = await queue.db.sql<
    { job_id: string; owner_id: string; interrupt_id: string; answered: boolean; status: string }[]
  >`
    select job_id, owner_id, interrupt_id, answered_at is not null as answered, status from job_interrupts join jobs on jobs.id = job_id
    order by job_interrupts.created_at, job_id`;
  const one = asked[choice % Math.max(asked.length, 1)];
  if (!one) return;
  const before = await snapshot();
  const refused = await queue
    .inTx(async (tx) =>
      answer(tx, { jobId: one.job_id, ownerId: one.owner_id, interruptId: one.interrupt_id, answers: "yes" }),
    )
    .then(
      () => null,
      (thrown: unknown) => thrown,
    );
  if (!alone && (refused === null || refused instanceof JobConflictError)) return;
  const open = !one.answered && ["queued", "running", "waiting"].includes(one.status);
  if (open) expect(refused).toBeNull();
  else {
    expect(refused).toBeInstanceOf(JobConflictError);
    expect(await snapshot()).toEqual(before);
  }
}

const SETTLE: Record<string, (tx: Tx, claim: ClaimedJob) => Promise<unknown>> = {
  fail: async (tx, claim) => fail(tx, claim, { error: BOOM, retry: AT_ONCE }),
  crash: async (tx, claim) => fail(tx, claim, { error: BOOM, retry: AT_ONCE, outcome: "crashed" }),
  failForGood: async (tx, claim) => fail(tx, claim, { error: BOOM, retry: AT_ONCE, permanent: true }),
  release: async (tx, claim) => release(tx, claim),
  park: async (tx, claim) => park(tx, claim, [question(claim)]),
  snooze: async (tx, claim) => release(tx, claim, { delayMs: 60_000 }),
  settleCancelled: async (tx, claim) => settleCancelled(tx, claim),
  appendEvents: async (tx, claim) =>
    appendEvents(tx, claim, { events: [{ type: "token", data: { text: "a" } }], after: await lastEvent(tx, claim) }),
};

async function lastEvent(tx: Tx, { jobId }: ClaimedJob): Promise<number> {
  const [row] = await tx<{ event_seq: number }[]>`select event_seq from jobs where id = ${jobId}`;
  return row?.event_seq ?? 0;
}

/** The verbs that take many claims: they return the claims that they left alone and throw nothing. */
async function settleTogether(claim: ClaimedJob, verb: string): Promise<boolean> {
  if (verb === "heartbeat") return (await heartbeat(queue.db.sql, [claim], 30_000)).kept.size === 1;
  if ((await completeMany(queue.db.sql, [{ claim, result: null }])).length === 0) return true;
  return queue.inTx(async (tx) => complete(tx, claim));
}

async function settle(claim: ClaimedJob, verb: string, alone = true): Promise<void> {
  const held = alone && (await mayAct(claim, verb));
  const before = alone ? await snapshot() : undefined;
  const work = SETTLE[verb];
  const done: Promise<unknown> = work ? queue.inTx(async (tx) => work(tx, claim)) : settleTogether(claim, verb);
  const outcome = await done.then(() => "done").catch((thrown: unknown) => thrown);
  if (outcome !== "done" && !(outcome instanceof LeaseLostError)) throw outcome;
  if (!alone) return;
  if (held) expect(outcome).toBe("done");
  // A lost or settled claim changes nothing.
  else expect(await snapshot()).toEqual(before);
}

async function take(world: World, workerId: string, limit: number, alone = true): Promise<void> {
  const jobs = await queue.take(limit, { workerId });
  world.claims.push(...jobs);
  for (const job of alone ? jobs : []) {
    const [older] = await queue.db.sql`
      select 1 from jobs as head, jobs as mine where mine.id = ${job.jobId} and head.thread_id = mine.thread_id and head.seq < mine.seq
        and head.status in ('queued', 'running', 'waiting') and head.id <> all (${[...world.redrives.keys()]}::uuid[])`;
    // A redriven job comes after the thread's head at that time, so it does not count.
    expect(older, "an older job of the thread is unfinished").toBeUndefined();
  }
}

/** Takes one step; unless it is `alone`, other steps run at the same time. */
// oxlint-disable-next-line max-lines-per-function -- one verb a case
async function act(world: World, action: Step, alone = true): Promise<void> {
  switch (action.verb) {
    case "enqueue": {
      const ownerId = action.owner === 0 ? "other" : queue.ownerId;
      const own = world.jobs.filter((job) => job.ownerId === ownerId);
      const dependency = own[action.after];
      const added = await queue
        .addMany(
          Array.from({ length: action.batch }, (_, n) => ({
            ownerId,
            threadId: THREADS[action.thread],
            limitKey: action.key < 2 ? `key ${action.key}` : undefined,
            after: dependency && [dependency.jobId],
            onDependencyFailure: action.anyway ? ("run" as const) : ("fail" as const),
            delayMs: action.delayed === 0 ? 60_000 : 0,
            priority: action.priority,
            maxRetries: action.maxRetries,
            maxCrashes: action.maxRetries,
            jobType: n === 0 ? "t" : "other",
            idempotencyKey: n === 0 && action.idempotent < 4 ? `key ${action.idempotent}` : undefined,
            uniqueKey: action.unique < 3 ? `key ${action.unique}` : undefined,
          })),
        )
        .catch((thrown: unknown) => {
          // Its dependency has failed.
          if (!(thrown instanceof Error) || !thrown.message.includes("retry it first")) throw thrown;
        });
      for (const { jobId, created } of added ?? []) if (created) world.jobs.push({ jobId, ownerId });
      return;
    }
    case "claim":
      return take(world, `worker ${action.worker}`, action.limit, alone);
    case "cancel":
    case "redrive":
    case "changePriority":
    case "discard": {
      const job = world.jobs[action.pick % Math.max(world.jobs.length, 1)];
      if (!job) return;
      const verb = { cancel, redrive, discard, changePriority: prioritize }[action.verb];
      const done = await queue
        .inTx(async (tx) => verb(tx, job))
        .then(
          () => true,
          (thrown: unknown) => {
            if (!(thrown instanceof JobConflictError)) throw thrown;
            return false;
          },
        );
      if (done && action.verb === "redrive") world.redrives.set(job.jobId, (world.redrives.get(job.jobId) ?? 0) + 1);
      return;
    }
    case "expire": {
      const claim = world.claims[action.pick % Math.max(world.claims.length, 1)];
      if (claim)
        await queue.db
          .sql`update jobs set lease_expires_at = clock_timestamp() - interval '1 second' where id = ${claim.jobId} and status = 'running'`;
      return;
    }
    case "reap":
      await reap(queue.db, { policyOf: () => AT_ONCE });
      return;
    case "makeDue":
      await queue.makeDue();
      await queue.inTx(promote);
      return;
    case "admit":
      for (const key of await findDueKeys(queue.db.sql)) await queue.inTx(async (tx) => admitDueKey(tx, key));
      return;
    case "answer":
      return answerOne(action.pick, alone);
    case "passDeadlines":
      await queue.db
        .sql`update job_interrupts set deadline_at = clock_timestamp() where deadline_at is not null and answered_at is null`;
      while ((await queue.inTx(expireInterrupts)) > 0);
      return;
    case "pause":
    case "resume":
      return pauseQueue(queue.db.sql, "default", action.verb === "pause");
    case "pauseType":
    case "resumeType":
      return pauseJobType(queue.db.sql, "other", action.verb === "pauseType");
    case "sweep":
      await queue.db.call(sweepPaused);
      return;
    case "releaseOrphans":
      await queue.db.call(async (sql) => releaseOrphans(sql, `worker ${action.pick % 3}`, world.claims.slice(-2)));
      return;
    default: {
      const claim = world.claims[action.pick % Math.max(world.claims.length, 1)];
      if (claim) await settle(claim, action.verb, alone);
    }
  }
}

const CHECK = Object.entries(RULES)
  .map(([rule, sql]) => `select '${rule.replaceAll("'", "''")}' as broken from (${sql}) as found having count(*) > 0`)
  .join(" union all ");

async function check(): Promise<void> {
  expect(await queue.db.sql.unsafe(CHECK)).toEqual([]);
}

/** Ends every job with healthy workers. */
async function quiesce(world: World): Promise<void> {
  await pauseQueue(queue.db.sql, "default", false);
  await pauseJobType(queue.db.sql, "other", false);
  await queue.db
    .sql`update jobs set lease_expires_at = clock_timestamp() - interval '1 second' where status = 'running'`;
  for (let round = 0; round < 200; round += 1) {
    await act(world, { verb: "reap", pick: 0 });
    await act(world, { verb: "makeDue", pick: 0 });
    await act(world, { verb: "admit", pick: 0 });
    await act(world, { verb: "sweep", pick: 0 });
    const asked = await queue.db.sql<{ job_id: string; owner_id: string; interrupt_id: string }[]>`
      select job_id, owner_id, interrupt_id from job_interrupts join jobs on jobs.id = job_id where answered_at is null and status = 'waiting'`;
    for (const { job_id: jobId, owner_id: ownerId, interrupt_id: interruptId } of asked)
      await queue.inTx(async (tx) => answer(tx, { jobId, ownerId, interruptId, answers: "yes" }));
    const before = world.claims.length;
    await take(world, "healthy", 10);
    for (const claim of world.claims.slice(before)) await settle(claim, "complete");
    if (world.claims.length === before) break;
  }
  expect(
    await queue.db.sql`select id, status, hold from jobs where status not in ('completed', 'failed', 'cancelled')`,
  ).toHaveLength(0);
  const bounds = await queue.db.sql<{ id: string; most: number; ended: number }[]>`
    select id, most, (select count(*)::int from job_attempts where job_id = id and outcome::text = any (outcomes)) as ended
    from jobs cross join lateral (values
      (max_retries, '{failed,timed_out}'::text[]), (max_crashes, '{lease_expired,crashed}')) as bound (most, outcomes)`;
  for (const job of bounds)
    expect(job.ended).toBeLessThanOrEqual((job.most + 1) * ((world.redrives.get(job.id) ?? 0) + 1));
}

/** Takes the steps, `together` at a time, and then ends every job. */
async function play(steps: readonly Step[], together: number): Promise<void> {
  await queue.clear();
  await createQueue(queue.db.sql, "default");
  await queue.inTx(async (tx) => setQueueLimits(tx, "default", { perKey: { concurrency: PLACES } }));
  const world: World = { jobs: [], claims: [], redrives: new Map() };
  for (let at = 0; at < steps.length; at += together) {
    const now = steps.slice(at, at + together);
    await Promise.all(now.map(async (action) => act(world, action, together === 1)));
    await check();
  }
  await quiesce(world);
  await check();
}

test(
  "whatever several workers do, in any order, the invariants hold and every job ends",
  { timeout: 180_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 110 }), async (steps) => play(steps, 1)),
      { numRuns: 24 },
    );
  },
);

test(
  "whatever several workers do at the same time, the invariants hold and every job ends",
  { timeout: 180_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 60, maxLength: 150 }), async (steps) => play(steps, 6)),
      // No shrinking: overlapping steps interleave differently each time.
      { numRuns: 15, endOnFailure: true },
    );
  },
);
