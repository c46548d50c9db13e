import type { Logger } from "pino";
import { claim, claimKey, heartbeat, LeaseLostError, promote, reap, reportWorker } from "#queue";
import type { ClaimedJob, Database, RetryPolicy } from "#queue";
import type { JobHandler } from "./define-job.ts";
import { describeError } from "./describe-error.ts";
import { ShutdownError } from "./errors.ts";
import { pollDelayMs } from "./poll-delay.ts";
import type { PollBounds } from "./poll-delay.ts";
import { runJob } from "./run-job.ts";
import { Waker } from "./waker.ts";

export interface WorkerOptions {
  db: Database;
  log: Logger;
  handlers: readonly JobHandler[];
  identity: { workerId: string; host: string; pid: number; version: string };
  concurrency: number;
  leaseMs: number;
  heartbeatMs: number;
  poll: PollBounds;
  retry: RetryPolicy;
  defaultTimeoutMs: number;
}

interface Run {
  job: ClaimedJob;
  stop: AbortController;
  ended: Promise<void>;
}

/** Claims and runs jobs until it is stopped. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #handlers: ReadonlyMap<string, JobHandler>;
  readonly #runs = new Map<string, Run>();
  readonly #waker = new Waker();
  readonly #beat = new Waker();
  #stopping = false;
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#handlers = new Map(options.handlers.map((handler) => [handler.type, handler]));
  }

  /** Enters the registry and starts to claim. */
  async start(): Promise<void> {
    await this.#report("active");
    this.#loops = Promise.all([this.#claimLoop(), this.#heartbeatLoop()]);
  }

  /** Makes an idle worker look for jobs now. */
  wake(): void {
    this.#waker.wake();
  }

  /**
   * Stops claiming, lets running jobs end within the grace period, then aborts and releases the rest.
   * Resolves once nothing runs and every lease was given back.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#waker.wake();
    await this.#report("draining").catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.#allEnded(), grace]);
    clearTimeout(timer);
    for (const run of this.#runs.values()) run.stop.abort(new ShutdownError("The worker is shutting down"));
    await this.#allEnded();
    this.#beat.wake();
    await this.#loops;
    await this.#report("stopped").catch(() => undefined);
  }

  async #allEnded(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all([...this.#runs.values()].map((run) => run.ended));
  }

  async #claimLoop(): Promise<void> {
    let emptyPolls = 0;
    while (!this.#stopping) {
      const free = this.#options.concurrency - this.#runs.size;
      const seen = this.#waker.count;
      let delayMs = pollDelayMs(emptyPolls, this.#options.poll);
      try {
        const { nextDueMs } = await this.#options.db.call(promote);
        const jobs = free > 0 ? await this.#claim(free) : [];
        emptyPolls = jobs.length > 0 ? 0 : emptyPolls + 1;
        // A full claim may have left more behind; a short one means that the queue is empty for now.
        if (free > 0 && jobs.length === free) delayMs = 0;
        else if (nextDueMs !== null) delayMs = Math.min(delayMs, Math.max(nextDueMs, 1));
      } catch (error) {
        emptyPolls += 1;
        this.#options.log.error({ err: describeError(error) }, "claiming failed; will try again");
      }
      if (this.#runs.size >= this.#options.concurrency) delayMs = Math.max(delayMs, this.#options.poll.minMs);
      if (!this.#stopping) await this.#waker.wait(delayMs, seen);
    }
  }

  async #claim(limit: number): Promise<ClaimedJob[]> {
    const { db, identity, leaseMs } = this.#options;
    const jobs = await db.call((sql) => claim(sql, { workerId: identity.workerId, limit, leaseMs }));
    for (const job of jobs) this.#launch(job);
    return jobs;
  }

  #launch(job: ClaimedJob): void {
    const { identity } = this.#options;
    const stop = new AbortController();
    const log = this.#options.log.child({
      jobId: job.jobId,
      threadId: job.threadId,
      workerId: identity.workerId,
      attempt: job.attempt,
      jobType: job.jobType,
    });
    log.info("job started");
    const ended = runJob(job, { ...this.#options, handlers: this.#handlers, log, stop }).finally(() => {
      this.#runs.delete(claimKey(job));
      this.#waker.wake();
    });
    this.#runs.set(claimKey(job), { job, stop, ended });
  }

  async #heartbeatLoop(): Promise<void> {
    const { db, log, leaseMs, heartbeatMs, retry } = this.#options;
    while (!(this.#stopping && this.#runs.size === 0)) {
      const seen = this.#beat.count;
      try {
        await this.#renewLeases();
        await this.#report(this.#stopping ? "draining" : "active");
        for (const job of await reap(db, retry))
          log.warn(
            { jobId: job.jobId, attempt: job.attempt, lostWorkerId: job.workerId },
            "lease expired: job taken back",
          );
      } catch (error) {
        log.error({ err: describeError(error) }, `heartbeat failed; leases last ${leaseMs} ms`);
      }
      await this.#beat.wait(heartbeatMs, seen);
    }
  }

  async #renewLeases(): Promise<void> {
    const runs = [...this.#runs.values()];
    const { kept } = await this.#options.db.call((sql) =>
      heartbeat(
        sql,
        runs.map((run) => run.job),
        this.#options.leaseMs,
      ),
    );
    for (const { job, stop } of runs) {
      // A run that ended while the statement was under way has left the map: its lease is not lost, it is done.
      if (!kept.has(claimKey(job)) && this.#runs.has(claimKey(job)))
        stop.abort(new LeaseLostError(job.jobId, job.attempt));
    }
  }

  async #report(state: "active" | "draining" | "stopped"): Promise<void> {
    const { db, identity, concurrency } = this.#options;
    await db.call((sql) => reportWorker(sql, { ...identity, concurrency, running: this.#runs.size, state }));
  }
}
