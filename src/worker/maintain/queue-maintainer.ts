import { takeIdleThreads } from "#conversation";
import { DatabaseUnavailableError } from "#queue";
import type { Reaper } from "#queue/fleet";
import { prune, pruneLimitKeys, pruneWorkers } from "#queue/operate";
import { survey } from "#queue/read";
import type { Survey } from "#queue/read";
import { admitDueKey, findDueKeys, promote, sweepPaused } from "#queue/ready";
import { fireSchedules } from "#queue/schedules";
import { expireInterrupts, reap } from "#queue/settle";
import type { RetryPolicy } from "#queue/settle";
import { setTimeout as wait } from "node:timers/promises";
import { faultPoint } from "#fault";
import { Service } from "#shared/service";
import { pollDelayMs } from "../claim/poll-delay.ts";
import { ConditionVariable } from "../condition-variable.ts";
import { logFailure } from "../log-failure.ts";
import { describeError } from "../run/describe-error.ts";
import type { WorkerOptions } from "../worker-options.ts";

/** `poll` bounds the delay between two rounds. */
export interface QueueMaintainerOptions extends Pick<
  WorkerOptions,
  "db" | "log" | "poll" | "retention" | "pruneCheckpoints"
> {
  policyOf: (jobType: string) => RetryPolicy;
  reaper: Reaper;
  /** Called after each round: `ready` when jobs may be claimed, `limited` when some of their queues have a limit. */
  onRound?: (found: Pick<Survey, "ready" | "limited">) => void;
}

interface Duty {
  name: string;
  /** The time until the duty is due, in milliseconds; 0 or less when it is due, null when it has nothing to do. */
  waitMs: (seen: Survey) => number | null;
  /** Does a bounded part of the duty, and returns how many rows it changed. */
  act: () => Promise<number>;
}

const MAX_ROUNDS = 20;
const IDLE_THREADS_BATCH = 20;
const PRUNE_BATCH = 500;
const PRUNE_EVERY_MS = 600_000;
const PRUNE_LIMIT_MS = 3_000;
/** The delay of a duty that failed. */
const RETRY_MS = 5_000;
const SHORTEST_WAIT_MS = 10;
/** The least time between two rounds: hundreds of notices may arrive each second. */
const SPACING_MS = 20;

/**
 * Does the queue's work that is due by the clock: readies due jobs, reaps expired leases, admits limited keys, fires
 * schedules, prunes old jobs. Every worker does it without a leader, because each verb locks its rows. A failed duty
 * delays no other.
 */
export class QueueMaintainer extends Service {
  readonly #options: QueueMaintainerOptions;
  readonly #duties: readonly Duty[];
  /** When failed duties may run again, by name and `performance.now`. */
  readonly #retryAt = new Map<string, number>();
  #pruneAt = -Infinity;
  readonly #wakeup = new ConditionVariable();
  /** Rounds since the worker last claimed a job. */
  #idleCount = 0;
  #loop = Promise.resolve();

  constructor(options: QueueMaintainerOptions) {
    super();
    const { db } = options;
    this.#options = options;
    this.#duties = [
      { name: "reap expired leases", waitMs: (seen) => seen.leaseMs, act: async () => this.#reap() },
      { name: "ready due jobs", waitMs: (seen) => seen.dueMs, act: async () => this.#promote() },
      { name: "admit limited keys", waitMs: (seen) => seen.admitMs, act: async () => this.#admit() },
      { name: "fire schedules", waitMs: (seen) => seen.tickMs, act: async () => this.#fire() },
      { name: "expire interrupts", waitMs: (seen) => seen.answerMs, act: async () => db.transaction(expireInterrupts) },
      {
        name: "hold the jobs of paused types",
        waitMs: (seen) => (seen.paused ? 0 : null),
        act: async () => db.call(sweepPaused),
      },
      { name: "prune old jobs", waitMs: () => this.#pruneAt - performance.now(), act: async () => this.#prune() },
    ];
  }

  /** Starts a round now. */
  wake(): void {
    this.#wakeup.notify();
  }

  /** Shortens the delay between rounds again, because the worker has claimed jobs. */
  resetDelay(): void {
    this.#idleCount = 0;
  }

  protected onStart(): void {
    this.#loop = this.#run();
  }

  protected async onStop(): Promise<void> {
    this.wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { log, poll, onRound } = this.#options;
    while (!this.stopping.aborted) {
      const seenCount = this.#wakeup.count;
      let delayMs = pollDelayMs(this.#idleCount, poll);
      try {
        const { nextMs, ...found } = await this.runDue();
        onRound?.(found);
        delayMs = Math.max(Math.min(delayMs, nextMs), SHORTEST_WAIT_MS);
      } catch (error) {
        logFailure(log, error, "queue maintenance failed; will try again");
      }
      this.#idleCount += 1;
      if (!this.stopping.aborted) await this.#wakeup.wait(delayMs, seenCount);
      if (!this.stopping.aborted) await wait(SPACING_MS);
    }
  }

  /**
   * Does every duty that is due. Returns what the last survey found, and the milliseconds until the next duty is due:
   * Infinity when none is planned.
   * @throws DatabaseUnavailableError when the database is away: call again later.
   */
  async runDue(): Promise<Pick<Survey, "ready" | "limited"> & { nextMs: number }> {
    const { db, reaper } = this.#options;
    const look = () => db.call((sql) => survey(sql, reaper));
    let seen = await look();
    // A duty can make another duty due: a schedule adds a job. The bound lets `onRound` run in a flood of due work.
    for (let round = 0; round < MAX_ROUNDS && (await this.#runDuties(seen)); round += 1) seen = await look();
    const waits = this.#duties.map((duty) => this.#waitOf(duty, seen) ?? Infinity);
    return { ready: seen.ready, limited: seen.limited, nextMs: Math.min(...waits) };
  }

  async #runDuties(seen: Survey): Promise<boolean> {
    let changed = 0;
    for (const duty of this.#duties) {
      const waitMs = this.#waitOf(duty, seen);
      if (waitMs !== null && waitMs <= 0) changed += await this.#runDuty(duty);
    }
    return changed > 0;
  }

  #waitOf(duty: Duty, seen: Survey): number | null {
    const waitMs = duty.waitMs(seen);
    const retryMs = (this.#retryAt.get(duty.name) ?? -Infinity) - performance.now();
    return waitMs === null ? null : Math.max(waitMs, retryMs);
  }

  async #runDuty({ name, act }: Duty): Promise<number> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof DatabaseUnavailableError && error.isAbsence) throw error;
      this.#retryAt.set(name, performance.now() + RETRY_MS);
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
        "lease expired: job reaped",
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

  /** Prunes a batch. A full batch leaves the duty due for the next round. */
  async #prune(): Promise<number> {
    const { db, log, retention } = this.#options;
    const deleted = await db.transaction(async (tx) => {
      // On a large table the statement must not delay the other duties for long.
      await tx`select set_config('statement_timeout', ${String(PRUNE_LIMIT_MS)}, true)`;
      return prune(tx, retention, PRUNE_BATCH);
    });
    if (deleted > 0) log.info({ deleted }, "old jobs pruned");
    const threads = await this.#pruneIdleThreads();
    if (deleted < PRUNE_BATCH && threads < IDLE_THREADS_BATCH) {
      await db.call(pruneWorkers);
      await db.call(pruneLimitKeys);
      this.#pruneAt = performance.now() + PRUNE_EVERY_MS;
    }
    // Pruning makes no other duty due.
    return 0;
  }

  async #pruneIdleThreads(): Promise<number> {
    const { db, log, retention, pruneCheckpoints } = this.#options;
    if (!pruneCheckpoints) return 0;
    const threads = await db.transaction(async (tx) => {
      const idle = await takeIdleThreads(tx, retention.completedMs, IDLE_THREADS_BATCH);
      if (idle.length > 0) await pruneCheckpoints(tx, idle);
      return idle.length;
    });
    if (threads > 0) log.info({ threads }, "checkpoints of idle threads pruned");
    return threads;
  }
}
