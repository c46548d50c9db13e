import { claimKey, LeaseLostError } from "#queue";
import type { Claim, ClaimedJob } from "#queue";
import { release } from "#queue/settle";
import { setTimeout as wait } from "node:timers/promises";
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
  tracer: Tracer | undefined;
  concurrency: number;
  heartbeat: Heartbeat;
  quarantine: Quarantine | undefined;
  signals: WorkerSignals | undefined;
  /** Called when a handler has ended and the end of its attempt is still to be written. */
  onFreeSlot: () => void;
  /** Called when the end of an attempt is written. */
  onEnded: () => void;
}

/** Runs claimed jobs, and holds each lease until its attempt has ended. */
export class Executor {
  readonly #options: ExecutorOptions;
  /** The attempts whose leases this worker holds. */
  readonly #runs = new Map<string, AttemptRun>();
  /** The number of attempts whose handler runs; the others are being settled. */
  #busyCount = 0;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /**
   * The number of jobs that may be claimed now. A job frees its slot when its handler ends, so that the next claim need not
   * wait for the completion. A worker holds at most two leases for each slot.
   */
  get freeSlotCount(): number {
    const { concurrency } = this.#options;
    return Math.min(concurrency - this.#busyCount, maxClaims(concurrency) - this.#runs.size);
  }

  /** Call it when a handler has ended. */
  freeSlot(): void {
    this.#busyCount -= 1;
    this.#options.onFreeSlot();
  }

  get jobs(): ClaimedJob[] {
    return [...this.#runs.values()].map((run) => run.job);
  }

  /** Starts the jobs of a claim that was sent at `claimSentMs`, in milliseconds since 1970. */
  launch(jobs: readonly ClaimedJob[], claimSentMs: number): void {
    // All leases are held before any handler runs: the first handler may block the event loop.
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

  /** Aborts the runs of the given keys, or all runs. */
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

  /** Kills the child processes before this process exits: the leases cover their jobs. */
  abandon(): void {
    this.#options.quarantine?.abandon();
  }

  async #allEnded(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all([...this.#runs.values()].map((run) => run.ended));
  }

  /** Holds the lease of a claimed job; undefined when the attempt was released. */
  #hold(job: ClaimedJob, claimSentMs: number): AttemptRun | undefined {
    const { tracer, heartbeat, environment, signals } = this.#options;
    const key = claimKey(job);
    if (this.#runs.has(key)) {
      this.#releaseTwin(job, key);
      return undefined;
    }
    const isAlone = this.#runsAlone(job);
    // A quarantine process opens its job's span.
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
   * A database that crashed may lose a claim and give this worker the same attempt again. Two runs would then have the same
   * fencing token, so the first run counts as lost and the attempt is released.
   */
  #releaseTwin(job: ClaimedJob, key: string): void {
    this.loseRuns([key]);
    const { db, log } = this.#options.environment;
    const reason = "The database had lost the claim";
    db.transaction(async (tx) => release(tx, job, { reason })).catch((error: unknown) =>
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
