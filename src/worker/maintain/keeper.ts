import { takeIdleThreads } from "#conversation";
import { DatabaseUnavailableError } from "#queue";
import type { Database, Tx } from "#queue";
import type { Reaper } from "#queue/fleet";
import { prune, pruneLimitKeys, pruneWorkers } from "#queue/operate";
import { survey } from "#queue/read";
import type { Survey } from "#queue/read";
import { admitDueKey, findDueKeys, promote, sweepPaused } from "#queue/ready";
import { fireSchedules } from "#queue/schedules";
import { expireInterrupts, reap } from "#queue/settle";
import type { RetryPolicy } from "#queue/settle";
import type { Logger } from "pino";
import { faultPoint } from "#fault";
import { describeError } from "../run/describe-error.ts";

export interface KeeperOptions {
  db: Database;
  log: Logger;
  policyOf: (jobType: string) => RetryPolicy;
  reaper: Reaper;
  /** How long ended jobs are kept, in milliseconds. */
  retention: { completedMs: number; failedMs: number };
  /** Deletes what is kept of the past of threads that are idle for as long as completed jobs are kept. */
  forgetThreads?: ((tx: Tx, threadIds: readonly string[]) => Promise<void>) | undefined;
}

/** One of the keeper's duties. */
interface Duty {
  name: string;
  /** How long it can wait, in milliseconds; 0 or less when it is due, null when there is nothing to do. */
  waitMs: (seen: Survey) => number | null;
  /** Does a bounded part of it and returns how much. */
  act: () => Promise<number>;
}

/** What the keeper saw once nothing was due any more. */
export interface Tended extends Pick<Survey, "ready" | "limited"> {
  /** Until the next thing is due, in milliseconds; Infinity when nothing is known to be. */
  nextMs: number;
}

/**
 * What keeps the queue going besides running jobs: due jobs are readied, expired leases reaped, limited keys let in,
 * schedules fired, old jobs pruned. Every worker does all of it; each verb lets one of them have each row, so that no
 * leader can get stuck. A duty that fails is left alone for a time and keeps none of the others from being done.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #duties: readonly Duty[];
  /** Until when the duties that failed are left alone. */
  readonly #shunnedUntil = new Map<string, number>();
  #pruneAt = -Infinity;

  constructor(options: KeeperOptions) {
    const { db } = options;
    this.#options = options;
    this.#duties = [
      { name: "take back expired leases", waitMs: (seen) => seen.leaseMs, act: async () => this.#reap() },
      { name: "ready due jobs", waitMs: (seen) => seen.dueMs, act: async () => this.#promote() },
      { name: "let limited keys in", waitMs: (seen) => seen.admitMs, act: async () => this.#admit() },
      { name: "fire schedules", waitMs: (seen) => seen.tickMs, act: async () => this.#fire() },
      {
        name: "close unanswered questions",
        waitMs: (seen) => seen.answerMs,
        act: async () => db.transaction(expireInterrupts),
      },
      {
        name: "sort out paused types",
        waitMs: (seen) => (seen.paused ? 0 : null),
        act: async () => db.call(sweepPaused),
      },
      { name: "prune old jobs", waitMs: () => this.#pruneAt - performance.now(), act: async () => this.#prune() },
    ];
  }

  /**
   * Does what is due and says what it saw.
   * @throws DatabaseUnavailableError when the database is away: tend again later.
   */
  async tend(): Promise<Tended> {
    const { db, reaper } = this.#options;
    const look = () => db.call((sql) => survey(sql, reaper));
    let seen = await look();
    // What was due may have made more due, such as a schedule's job; bounded, so that a flood cannot hold the loop.
    for (let round = 0; round < MOST_ROUNDS && (await this.#act(seen)); round += 1) seen = await look();
    const waits = this.#duties.map((duty) => this.#waitOf(duty, seen) ?? Infinity);
    return { ready: seen.ready, limited: seen.limited, nextMs: Math.min(...waits) };
  }

  async #act(seen: Survey): Promise<boolean> {
    let changed = 0;
    for (const duty of this.#duties) {
      const waitMs = this.#waitOf(duty, seen);
      if (waitMs !== null && waitMs <= 0) changed += await this.#do(duty);
    }
    return changed > 0;
  }

  #waitOf(duty: Duty, seen: Survey): number | null {
    const waitMs = duty.waitMs(seen);
    const shunnedMs = (this.#shunnedUntil.get(duty.name) ?? -Infinity) - performance.now();
    return waitMs === null ? null : Math.max(waitMs, shunnedMs);
  }

  async #do({ name, act }: Duty): Promise<number> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof DatabaseUnavailableError && error.isAbsence) throw error;
      this.#shunnedUntil.set(name, performance.now() + SHUN_MS);
      this.#options.log.error({ err: describeError(error), duty: name }, `could not ${name}; will try again`);
      return 0;
    }
  }

  async #reap(): Promise<number> {
    const { db, log, policyOf, reaper } = this.#options;
    const reaped = await reap(db, { policyOf, reaper });
    for (const job of reaped) {
      faultPoint("reaped");
      log.warn(
        { jobId: job.jobId, attempt: job.attempt, lostWorkerId: job.workerId, status: job.status },
        "lease expired: job taken back",
      );
    }
    return reaped.length;
  }

  async #promote(): Promise<number> {
    const promoted = await this.#options.db.transaction(promote);
    faultPoint("promoted");
    return promoted;
  }

  async #admit(): Promise<number> {
    const { db } = this.#options;
    const keys = await db.call(findDueKeys);
    for (const key of keys) await db.transaction(async (tx) => admitDueKey(tx, key));
    faultPoint("admitted");
    return keys.length;
  }

  async #fire(): Promise<number> {
    const { db, log } = this.#options;
    const { looked, faults } = await db.transaction(fireSchedules);
    faultPoint("fired");
    for (const { scheduleId, name, message } of faults)
      log.error({ scheduleId, schedule: name }, `schedule paused: ${message}`);
    return looked;
  }

  /** Prunes a batch; where that was full, the next look goes on. */
  async #prune(): Promise<number> {
    const { db, log, retention } = this.#options;
    const deleted = await db.transaction(async (tx) => {
      // In a table that has grown too large for it, it must not hold up the other duties for long.
      await tx`select set_config('statement_timeout', ${String(PRUNE_LIMIT_MS)}, true)`;
      return prune(tx, retention, PRUNE_BATCH);
    });
    if (deleted > 0) log.info({ deleted }, "old jobs pruned");
    const forgotten = await this.#forget();
    if (deleted < PRUNE_BATCH && forgotten < IDLE_BATCH) {
      await db.call(pruneWorkers);
      await db.call(pruneLimitKeys);
      this.#pruneAt = performance.now() + PRUNE_EVERY_MS;
    }
    // Nothing that it does makes anything else due.
    return 0;
  }

  async #forget(): Promise<number> {
    const { db, log, retention, forgetThreads } = this.#options;
    if (!forgetThreads) return 0;
    const threads = await db.transaction(async (tx) => {
      const idle = await takeIdleThreads(tx, retention.completedMs, IDLE_BATCH);
      if (idle.length > 0) await forgetThreads(tx, idle);
      return idle.length;
    });
    if (threads > 0) log.info({ threads }, "the past of idle threads pruned");
    return threads;
  }
}

const IDLE_BATCH = 20;
const MOST_ROUNDS = 20;
const PRUNE_BATCH = 500;
const PRUNE_EVERY_MS = 600_000;
const PRUNE_LIMIT_MS = 3_000;
/** How long a duty that failed is left alone. */
const SHUN_MS = 5_000;
