import { Service } from "#shared/service";
import { Claimer } from "./claim/claimer.ts";
import { Completer } from "./claim/completer.ts";
import { Producer } from "./claim/producer.ts";
import { wrapHandlers } from "./define-job.ts";
import { Executor, maxClaims } from "./executor.ts";
import { Heartbeat } from "./lease/heartbeat.ts";
import { describeWorker, enterRegistry } from "./maintain/enter-registry.ts";
import { QueueMaintainer } from "./maintain/queue-maintainer.ts";
import { Quarantine } from "./quarantine/quarantine.ts";
import type { RunEnvironment } from "./run/attempt-run.ts";
import type { WorkerOptions } from "./worker-options.ts";

const DEFAULT_GRACE_MS = 30_000;

/**
 * Claims and runs jobs until it is stopped. The producer fills free slots through the claimer. The executor runs the jobs;
 * the completer and `runJob` write their ends. The heartbeat keeps the leases. The maintainer does the work that is due by
 * the clock.
 */
export class Worker extends Service {
  readonly #options: WorkerOptions;
  readonly #environment: RunEnvironment;
  readonly #heartbeat: Heartbeat;
  readonly #claimer: Claimer;
  readonly #executor: Executor;
  readonly #producer: Producer;
  readonly #maintainer: QueueMaintainer;
  /** Aborted when the grace period is over. */
  readonly #leaving = new AbortController();
  #graceMs = DEFAULT_GRACE_MS;

  constructor(options: WorkerOptions) {
    super();
    const { db, log, poll, concurrency } = options;
    this.#options = options;
    this.#claimer = this.#makeClaimer();
    const completer = new Completer(db, this.#claimer);
    this.#environment = this.#makeEnvironment(completer);
    this.#heartbeat = this.#makeHeartbeat();
    this.#executor = new Executor({
      environment: this.#environment,
      tracer: options.tracer,
      concurrency,
      heartbeat: this.#heartbeat,
      quarantine: options.quarantine && new Quarantine(options.quarantine, log),
      signals: options.signals,
      onFreeSlot: () => {
        if (this.#claimer.mayFindMore) this.#producer.wake();
      },
      // The end may have readied the thread's next job, and behind a pooler no notice arrives.
      onEnded: () => this.#producer.wake(),
    });
    // Maintenance follows the claim: before it, a round would delay the start of jobs by a statement.
    const afterNotice = () => this.#maintainer.wake();
    this.#producer = new Producer({ claimer: this.#claimer, completer, log, poll, afterNotice });
    this.#maintainer = this.#makeMaintainer();
  }

  /** Enters the registry, starts the heartbeat, then claims. */
  protected async onStart(): Promise<void> {
    const { db, log } = this.#options;
    await enterRegistry(db, log, describeWorker(this.#options));
    await Promise.race([this.#heartbeat.start(), this.stopCalled]);
    if (this.stopping.aborted) return;
    process.on("exit", this.#onExit);
    await Promise.all([this.#producer.start(), this.#maintainer.start()]);
  }

  /** Makes an idle worker look for jobs now. */
  wake(): void {
    this.#producer.hearNotice();
  }

  /** Stops the run of a cancelled job, if this worker runs it. */
  cancel(jobId: string): void {
    this.#executor.cancel(jobId);
  }

  /**
   * Stops claiming, and asks graph runs to stop after their current step. Runs that exceed the grace period of the first
   * call are aborted and released. Resolves when every attempt has ended.
   * @param graceMs in milliseconds; 30 s unless given.
   */
  override async stop(graceMs = DEFAULT_GRACE_MS): Promise<void> {
    if (!this.stopping.aborted) this.#graceMs = graceMs;
    await super.stop();
  }

  protected async onStop(): Promise<void> {
    const graceEnd = performance.now() + this.#graceMs;
    this.#heartbeat.report("draining");
    await Promise.all([this.#producer.stop(), this.#maintainer.stop()]);
    await this.#executor.idle(Math.max(graceEnd - performance.now(), 0));
    this.#leaving.abort();
    this.#executor.releaseRuns();
    await this.#executor.idle();
    await this.#claimer.releaseUnknown().catch(() => undefined);
    await this.#heartbeat.stop();
    await this.#claimer.close();
    process.off("exit", this.#onExit);
  }

  /** Prepares the process for an exit without `stop`: the leases cover the jobs. */
  abandon(): void {
    process.off("exit", this.#onExit);
    this.#executor.abandon();
  }

  /** A handler may end the process: logs the jobs that ran. */
  readonly #onExit = (code: number): void => {
    this.#executor.abandon();
    const jobs = this.#executor.jobs.map(({ jobId, jobType }) => ({ jobId, jobType }));
    if (jobs.length === 0) return;
    this.#options.log.fatal({ code, jobs }, "the process exits while it runs jobs: one of them may have ended it");
  };

  #makeClaimer(): Claimer {
    const { db, log, leaseMs, identity } = this.#options;
    return new Claimer({
      db,
      log,
      workerId: identity.workerId,
      leaseMs,
      drain: this.stopping,
      freeSlotCount: () => this.#executor.freeSlotCount,
      heldClaims: () => this.#executor.jobs,
      launch: (jobs, sentMs) => {
        if (jobs.length > 0) this.#maintainer.resetDelay();
        this.#executor.launch(jobs, sentMs);
      },
      onFreeSlots: () => this.#producer.wake(),
    });
  }

  #makeEnvironment(completer: Completer): RunEnvironment {
    const { db, log, handlers, middleware, retry, defaultTimeoutMs, leaseMs } = this.#options;
    return {
      db,
      log,
      handlers: wrapHandlers(handlers, middleware),
      completer,
      retry,
      defaultTimeoutMs,
      leaseMs,
      drain: this.stopping,
      leaving: this.#leaving.signal,
      onRan: () => this.#executor.freeSlot(),
    };
  }

  #makeHeartbeat(): Heartbeat {
    const { connection, leaseMs, concurrency, log } = this.#options;
    return new Heartbeat({
      settings: { ...connection, leaseMs, report: describeWorker(this.#options) },
      maxClaims: maxClaims(concurrency),
      log,
      onLost: (keys) => this.#executor.loseRuns(keys),
      onCancelled: (keys) => this.#executor.cancelRuns(keys),
    });
  }

  #makeMaintainer(): QueueMaintainer {
    const { db, log, poll, retention, retry, identity, heartbeatMs, pruneCheckpoints } = this.#options;
    const { handlers } = this.#environment;
    return new QueueMaintainer({
      db,
      log,
      poll,
      retention,
      policyOf: (jobType) => ({ ...retry, ...handlers.get(jobType)?.retry }),
      reaper: { workerId: identity.workerId, heartbeatMs },
      pruneCheckpoints,
      onRound: ({ ready, limited }) => {
        if (limited) this.#claimer.expectLimited();
        if (ready || limited) this.#producer.wake();
      },
    });
  }
}
