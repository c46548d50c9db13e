import { openQueue } from "../../test/queue.ts";
import { claimLimited } from "./claim/claim.ts";
import { heartbeat } from "./fleet/heartbeat.ts";
import { listWorkers } from "./fleet/list-workers.ts";
import { reportWorker } from "./fleet/register-worker.ts";
import type { Tx } from "./index.ts";
import { prune, pruneLimitKeys, pruneWorkers } from "./operate/prune.ts";
import { setQueueLimits } from "./operate/queue-limits.ts";
import { survey } from "./read/survey.ts";
import { admitDueKey, findDueKeys } from "./ready/admit.ts";
import { promote } from "./ready/promote.ts";
import { fireSchedules, saveSchedule } from "./schedules/schedules.ts";
import { expireInterrupts } from "./settle/expire-interrupts.ts";
import { fail } from "./settle/fail.ts";
import { park } from "./settle/park.ts";
import { reap } from "./settle/reap.ts";
import { release } from "./settle/release.ts";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterEach(() => vi.useRealTimers());
afterAll(async () => queue.close());

const inTx = async <T>(work: (tx: Tx) => Promise<T>) => queue.db.transaction(work);
const retry = { baseMs: 60_000, capMs: 60_000 };
const error = { name: "Error", message: "boom", stack: null };
const HOUR_MS = 3_600_000;

test.each(["1999-12-31T00:00:00Z", "2150-01-01T00:00:00Z"])(
  "a process whose clock says %s does all by the database's",
  async (wrong) => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date(wrong) });
    // Leases, backoff and delays: what is due in a minute is neither due now nor in a century.
    await queue.addMany([{ delayMs: 60_000 }, {}, {}, {}, { maxRetries: 0 }]);
    const [failing, snoozing, asking, ending] = await queue.take(5, { leaseMs: 60_000 });
    await inTx(async (tx) => fail(tx, failing!, { error, retry }));
    await inTx(async (tx) => release(tx, snoozing!, { delayMs: 60_000 }));
    const question = { id: "q", kind: "approval", value: null, schema: null, deadlineMs: 60_000 };
    await inTx(async (tx) => park(tx, asking!, [question]));
    expect((await heartbeat(queue.db.sql, [{ ...ending!, maxAgeMs: HOUR_MS }], 60_000)).kept.size).toBe(1);
    expect(await reap(queue.db, { policyOf: () => retry })).toEqual([]);
    expect(await inTx(promote)).toBe(0);
    expect(await inTx(expireInterrupts)).toBe(0);
    const seen = await survey(queue.db.sql);
    for (const waitMs of [seen.dueMs, seen.leaseMs, seen.answerMs]) {
      expect(waitMs).toBeGreaterThan(20_000);
      expect(waitMs).toBeLessThanOrEqual(60_000);
    }
    // Order: by the database's count, whatever the ids' times say.
    vi.setSystemTime(new Date(Date.parse(wrong) - HOUR_MS));
    const late = await queue.addMany([{ queue: "order" }, { queue: "order" }]);
    expect((await queue.take(5)).map((job) => job.jobId)).toEqual(late.map((job) => job.jobId));
    await queue.finish(ending!);
    expect(await queue.db.transaction(async (tx) => prune(tx, { completedMs: HOUR_MS, failedMs: HOUR_MS }))).toBe(0);
  },
);

test.each(["1999-12-31T00:00:00Z", "2150-01-01T00:00:00Z"])(
  "schedules, rates and workers are judged by the database's clock where the process's says %s",
  async (wrong) => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date(wrong) });
    const [clock] = await queue.db.sql<{ ms: number }[]>`select (extract(epoch from now()) * 1000)::float8 as ms`;
    const nowMs = clock?.ms ?? 0;
    const saved = await inTx(async (tx) =>
      saveSchedule(tx, { ownerId: queue.ownerId, name: "s", cron: "0 * * * *", jobType: "t", payload: {} }),
    );
    const nextMs = Date.parse(saved.nextRunAt ?? "") - nowMs;
    expect(nextMs).toBeGreaterThan(0);
    expect(nextMs).toBeLessThanOrEqual(HOUR_MS);
    await queue.db.sql`update schedules set next_run_at = clock_timestamp() - interval '1 second'`;
    expect(await inTx(fireSchedules)).toMatchObject({ made: 1 });
    await inTx(async (tx) =>
      setQueueLimits(tx, "default", { concurrency: 9, perKey: { rate: { limit: 1, perMs: HOUR_MS } } }),
    );
    await queue.addMany([{ limitKey: "k" }, { limitKey: "k" }]);
    for (const key of await findDueKeys(queue.db.sql)) await inTx(async (tx) => admitDueKey(tx, key));
    const taken = await inTx(async (tx) => claimLimited(tx, { workerId: "w", limit: 9, leaseMs: 60_000 }));
    expect(taken.jobs).toHaveLength(2);
    await pruneLimitKeys(queue.db.sql);
    expect(await queue.db.sql`select 1 from limit_keys`).toHaveLength(1);
    const worker = {
      workerId: "w",
      host: "h",
      pid: 1,
      version: "0",
      concurrency: 1,
      running: 0,
      state: "active" as const,
      offers: [],
      heartbeatMs: 10_000,
    };
    await reportWorker(queue.db.sql, worker);
    await pruneWorkers(queue.db.sql);
    expect(await listWorkers(queue.db.sql)).toMatchObject([{ alive: true }]);
  },
);
