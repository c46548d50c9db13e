import type { Logger } from "pino";
import { faultPoint } from "#fault";
import {
  admitDueKey,
  expireInterrupts,
  findDueKeys,
  fireSchedules,
  promote,
  prune,
  pruneWorkers,
  reap,
  survey,
  sweepPaused,
  takeIdleThreads,
} from "#queue";
import type { Database, RetryPolicy, Survey, Tx } from "#queue";

export interface KeeperOptions {
  db: Database;
  log: Logger;
  policyOf: (jobType: string) => RetryPolicy;
  /** How long ended jobs are kept, in milliseconds. */
  retention: { completedMs: number; failedMs: number };
  /** Deletes what is kept of the past of threads that are idle for as long as completed jobs are kept. */
  forgetThreads?: ((tx: Tx, threadIds: readonly string[]) => Promise<void>) | undefined;
}

/**
 * What keeps the queue going besides running jobs: due jobs are readied, expired leases reaped, limited keys let in,
 * schedules fired, old jobs pruned. Every worker does all of it; each verb lets one of them have each row, so that no
 * leader can get stuck.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  #prunedAt = -Infinity;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Does what is due and says what it saw: whether jobs are ready, and when the next thing is due. */
  async tend(): Promise<Survey> {
    const { db } = this.#options;
    await this.#prune();
    let seen = await db.call(survey);
    // What was due may have made more due, such as a schedule's job; bounded, so that a flood cannot hold the loop.
    for (let round = 0; round < MOST_ROUNDS && (await this.#act(seen)); round += 1) seen = await db.call(survey);
    return seen;
  }

  async #act(seen: Survey): Promise<boolean> {
    const { db, log, policyOf } = this.#options;
    const due = (waitMs: number | null) => waitMs !== null && waitMs <= 0;
    let changed = 0;
    if (due(seen.tickMs)) changed += await db.transaction(fireSchedules).then((made) => made + 1);
    if (due(seen.dueMs)) {
      changed += await db.transaction(promote);
      faultPoint("promoted");
    }
    if (due(seen.leaseMs)) {
      for (const job of await reap(db, policyOf)) {
        changed += 1;
        faultPoint("reaped");
        log.warn(
          { jobId: job.jobId, attempt: job.attempt, lostWorkerId: job.workerId, status: job.status },
          "lease expired: job taken back",
        );
      }
    }
    if (due(seen.admitMs)) {
      for (const key of await db.call(findDueKeys)) {
        await db.transaction(async (tx) => admitDueKey(tx, key));
        changed += 1;
      }
    }
    if (due(seen.answerMs)) changed += await db.transaction(expireInterrupts);
    if (seen.paused) changed += await db.call(sweepPaused);
    return changed > 0;
  }

  async #prune(): Promise<void> {
    const { db, log, retention } = this.#options;
    if (performance.now() - this.#prunedAt < PRUNE_EVERY_MS) return;
    const deleted = await db.call(async (sql) => prune(sql, retention, PRUNE_BATCH));
    if (deleted > 0) log.info({ deleted }, "old jobs pruned");
    const forgotten = await this.#forget();
    // A full batch leaves more for the next round.
    if (deleted < PRUNE_BATCH && forgotten < IDLE_BATCH) {
      await db.call(pruneWorkers);
      this.#prunedAt = performance.now();
    }
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
