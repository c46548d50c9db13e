import { claimKey, LeaseLostError } from "#queue";
import type { Claim, ClaimedJob } from "#queue";
import { release } from "#queue/settle";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import type { Tracer } from "#tracing";
import { CancelledError, ShutdownError } from "./errors.ts";
import type { Heartbeat } from "./lease/heartbeat.ts";
import { QUARANTINE_GRACE_MS } from "./quarantine/quarantine.ts";
import type { Quarantine } from "./quarantine/quarantine.ts";
import { describeError } from "./run/describe-error.ts";
import { AttemptRun } from "./run/attempt-run.ts";
import type { RunEnvironment } from "./run/attempt-run.ts";
import type { AttemptEnd } from "./run/outcome-of.ts";
import { runJob } from "./run/run-job.ts";
import { openAttempt } from "./run/trace-attempt.ts";
import type { WorkerSignals } from "./worker-options.ts";

export interface ExecutorOptions {
  environment: RunEnvironment;
  log: Logger;
  tracer: Tracer | undefined;
  concurrency: number;
  heartbeat: Heartbeat;
  quarantine: Quarantine | undefined;
  signals: WorkerSignals | undefined;
  /** Called when a handler has ended, while the end of its attempt is still being written. */
  onFreeSlot: () => void;
  /** Called when the end of an attempt is written. */
  onEnded: () => void;
}

/** Runs claimed jobs, and holds the lease of each until its attempt has ended. */
export class Executor {
  readonly #options: ExecutorOptions;
  /** Every attempt that this worker holds a lease for. */
  readonly #runs = new Map<string, AttemptRun>();
  /** How many attempts have a running handler; the others are being settled. */
  #busyCount = 0;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /**
   * How many more jobs may be claimed. A job frees its slot when its handler ends, so that claims and completions run side
   * by side. Leases are bounded to two for each slot.
   */
  get freeSlots(): number {
    const { concurrency } = this.#options;
    return Math.min(concurrency - this.#busyCount, maxClaims(concurrency) - this.#runs.size);
  }

  /** A handler has ended; the end of its attempt is still being written. */
  freeSlot(): void {
    this.#busyCount -= 1;
    this.#options.onFreeSlot();
  }

  get jobs(): ClaimedJob[] {
    return [...this.#runs.values()].map((run) => run.job);
  }

  /** Starts the jobs of a claim that was sent at `claimSentMs`, in milliseconds since 1970. */
  launch(jobs: readonly ClaimedJob[], claimSentMs: number): void {
    // All leases are held before any handler runs: the first one may block the event loop.
    const fresh = jobs.flatMap((job) => this.#hold(job, claimSentMs) ?? []);
    for (const run of fresh) {
      run.ended = this.#run(run).then((end) => {
        const key = claimKey(run.job);
        this.#runs.delete(key);
        this.#options.heartbeat.drop(key);
        this.#options.signals?.ended?.(run.job, end);
        this.#options.onEnded();
      });
    }
  }

  /** Stops the runs of a job that was cancelled. */
  cancel(jobId: string): void {
    this.cancelRuns([...this.#runs].filter(([, run]) => run.job.jobId === jobId).map(([key]) => key));
  }

  cancelRuns(keys: Iterable<string>): void {
    this.#stopRuns(() => new CancelledError("The job was cancelled"), keys);
  }

  /** Stops runs whose lease is lost. */
  loseRuns(keys: Iterable<string>): void {
    this.#stopRuns(({ jobId, attempt }) => new LeaseLostError(jobId, attempt), keys);
  }

  /** Stops all runs, so that their jobs are released. */
  releaseRuns(): void {
    this.#stopRuns(toShutdown);
  }

  /** Aborts runs with a reason of their own; all of them unless keys are given. */
  #stopRuns(reason: (claim: Claim) => Error, keys: Iterable<string> = this.#runs.keys()): void {
    for (const key of keys) {
      const run = this.#runs.get(key);
      run?.abort(reason(run.job));
    }
  }

  /** Resolves when every attempt has ended, or when `limitMs` have passed. */
  async idle(limitMs?: number): Promise<void> {
    const limit = new AbortController();
    const ends = this.#allEnded().finally(() => limit.abort());
    if (limitMs === undefined) await ends;
    else await Promise.race([ends, wait(limitMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
  }

  /** Ends the child processes at once, before this process exits: the leases cover their jobs. */
  abandon(): void {
    this.#options.quarantine?.abandon();
  }

  async #allEnded(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all([...this.#runs.values()].map((run) => run.ended));
  }

  /** Takes up the lease of a claimed job; undefined when the attempt was given back. */
  #hold(job: ClaimedJob, claimSentMs: number): AttemptRun | undefined {
    const { tracer, heartbeat, environment, signals } = this.#options;
    const key = claimKey(job);
    if (this.#runs.has(key)) {
      this.#giveBackTwin(job, key);
      return undefined;
    }
    const isAlone = this.#runsAlone(job);
    // A quarantine process opens the span of its job itself.
    const span = tracer && !isAlone ? openAttempt(tracer, job, claimSentMs) : undefined;
    const run = new AttemptRun(job, environment, span);
    const maxAgeMs = run.timeoutMs + environment.leaseMs + (isAlone ? QUARANTINE_GRACE_MS : 0);
    heartbeat.hold(key, { jobId: job.jobId, attempt: job.attempt, maxAgeMs });
    this.#runs.set(key, run);
    this.#busyCount += 1;
    // A statement that also completes jobs may bring a claim after the grace period.
    if (environment.leaving.aborted) run.abort(toShutdown());
    signals?.claimed?.(job);
    return run;
  }

  /**
   * A database that crashed may have forgotten a claim, and may give this worker the same attempt again. Two runs would
   * then carry one fencing token. So the first run has lost its lease, and the attempt is given back.
   */
  #giveBackTwin(job: ClaimedJob, key: string): void {
    this.loseRuns([key]);
    const { environment, log } = this.#options;
    const reason = "The database had forgotten the claim";
    environment.db
      .transaction(async (tx) => release(tx, job, { reason }))
      .catch((error: unknown) =>
        log.warn({ jobId: job.jobId, err: describeError(error) }, "could not release a job; its lease will expire"),
      );
  }

  #runsAlone(job: ClaimedJob): boolean {
    return this.#options.quarantine?.takes(job) ?? false;
  }

  #run(run: AttemptRun): Promise<AttemptEnd> {
    const { environment, quarantine } = this.#options;
    if (environment.log.isLevelEnabled("info")) run.log.info("job started");
    return quarantine && this.#runsAlone(run.job) ? quarantine.run(run) : runJob(run);
  }
}

function toShutdown(): ShutdownError {
  return new ShutdownError("The worker is shutting down");
}

/** The most leases that a worker holds at once. */
export function maxClaims(concurrency: number): number {
  return 2 * concurrency;
}
