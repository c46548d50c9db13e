import { claimKey, DatabaseUnavailableError, LeaseLostError } from "#queue";
import type { ClaimedJob } from "#queue";
import { release } from "#queue/settle";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { Claimer } from "./claim/claimer.ts";
import { wrapHandlers } from "./define-job.ts";
import { describeError } from "./run/describe-error.ts";
import { CancelledError, ShutdownError } from "./errors.ts";
import { enterRegistry } from "./maintain/enter-registry.ts";
import { Finisher } from "./claim/finisher.ts";
import { Heart } from "./lease/heart.ts";
import { Keeper } from "./maintain/keeper.ts";
import { AttemptRun } from "./run/attempt-run.ts";
import type { RunEnvironment } from "./run/attempt-run.ts";
import { pollDelayMs } from "./claim/poll-delay.ts";
import { Quarantine, QUARANTINE_GRACE_MS } from "./quarantine/quarantine.ts";
import { runJob } from "./run/run-job.ts";
import type { AttemptEnd } from "./run/outcome-of.ts";
import type { WorkerOptions } from "./worker-options.ts";
import { openAttempt } from "./run/trace-attempt.ts";
import { Waker } from "./claim/waker.ts";

/** Claims and runs jobs until it is stopped. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #claimer: Claimer;
  readonly #environment: RunEnvironment;
  readonly #keeper: Keeper;
  /** Every attempt that this worker holds a lease for. */
  readonly #runs = new Map<string, AttemptRun>();
  /** How many of them have a handler that runs; the others are being settled. */
  #busy = 0;
  readonly #claiming = new Waker();
  readonly #keeping = new Waker();
  #heart: Heart | undefined;
  #idleLooks = 0;
  /** Whether something was told of that the keeper has to look at as well. */
  #noticed = false;
  #stopping = false;
  readonly #draining = new AbortController();
  /** Aborted when the grace period is over. */
  readonly #leaving = new AbortController();
  readonly #quarantine: Quarantine | undefined;
  #loops: Promise<unknown> = Promise.resolve();
  /** A handler may end the process: the log names the jobs that ran. */
  readonly #onExit = (code: number): void => {
    this.#quarantine?.abandon();
    if (this.#runs.size === 0) return;
    const jobs = [...this.#runs.values()].map(({ job: { jobId, jobType } }) => ({ jobId, jobType }));
    this.#options.log.fatal({ code, jobs }, "the process exits while it runs jobs: one of them may have ended it");
  };

  constructor(options: WorkerOptions) {
    const { db, log, retention, retry, defaultTimeoutMs, leaseMs } = options;
    this.#options = options;
    this.#claimer = new Claimer({
      db,
      log,
      workerId: options.identity.workerId,
      leaseMs,
      places: () => this.#freePlaces(),
      known: () => [...this.#runs.values()].map((run) => run.job),
      launch: (jobs, sentMs) => this.#launch(jobs, sentMs),
      onFree: () => this.#claiming.wake(),
    });
    const handlers = wrapHandlers(options.handlers, options.middleware);
    this.#environment = {
      db,
      log,
      handlers,
      finisher: new Finisher(db, this.#claimer),
      retry,
      defaultTimeoutMs,
      leaseMs,
      drain: this.#draining.signal,
      leaving: this.#leaving.signal,
      onRan: () => {
        this.#busy -= 1;
        if (this.#claimer.expectsMore) this.#claiming.wake();
      },
    };
    const policyOf = (jobType: string) => ({ ...retry, ...handlers.get(jobType)?.retry });
    const reaper = { workerId: options.identity.workerId, heartbeatMs: options.heartbeatMs };
    this.#keeper = new Keeper({ db, log, retention, policyOf, reaper, forgetThreads: options.forgetThreads });
    this.#quarantine = options.quarantine && new Quarantine(options.quarantine, log);
  }

  /** Enters the registry and starts to claim; resolves when it does. */
  async start(): Promise<void> {
    const { connection, leaseMs, concurrency, log } = this.#options;
    this.#heart = new Heart({
      settings: { ...connection, leaseMs, report: await enterRegistry(this.#options) },
      mostClaims: 2 * concurrency,
      log,
      onLost: (keys) => this.#loseRuns(keys),
      onCancelled: (keys) => this.#stopRuns(keys, () => new CancelledError("The job was cancelled")),
    });
    await this.#heart.ready;
    process.on("exit", this.#onExit);
    this.#loops = Promise.all([this.#claimLoop(), this.#keepLoop()]);
  }

  /** Makes an idle worker look for jobs now. */
  wake(): void {
    this.#noticed = true;
    this.#claiming.wake();
  }

  /** Stops the run of a job that was cancelled, if it is here. */
  cancel(jobId: string): void {
    const keys = [...this.#runs].filter(([, run]) => run.job.jobId === jobId).map(([key]) => key);
    this.#stopRuns(keys, () => new CancelledError("The job was cancelled"));
  }

  /**
   * Stops claiming, asks running jobs to stop where they can go on elsewhere, lets them end within the grace period,
   * then aborts and releases the rest.
   * Resolves once nothing runs and every lease was given back.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.wake();
    this.#keeping.wake();
    this.#claimer.close();
    this.#draining.abort();
    this.#heart?.report("draining");
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await this.#loops;
    await Promise.race([this.#allEnded(), grace]);
    clearTimeout(timer);
    this.#leaving.abort();
    this.#stopRuns([...this.#runs.keys()], () => new ShutdownError("The worker is shutting down"));
    await this.#allEnded();
    await this.#claimer.giveBackUnknown().catch(() => undefined);
    await this.#heart?.stop();
    await this.#claimer.db.close();
    process.off("exit", this.#onExit);
  }

  /** Leaves everything as it is, before the process exits: leases cover what runs. */
  abandon(): void {
    process.off("exit", this.#onExit);
    this.#quarantine?.abandon();
  }

  async #allEnded(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all([...this.#runs.values()].map((run) => run.ended));
  }

  #stopRuns(keys: readonly string[], reason: (run: AttemptRun) => Error): void {
    for (const key of keys) {
      const run = this.#runs.get(key);
      run?.abort(reason(run));
    }
  }

  #loseRuns(keys: readonly string[]): void {
    this.#stopRuns(keys, ({ job }) => new LeaseLostError(job.jobId, job.attempt));
  }

  async #claimLoop(): Promise<void> {
    while (!this.#stopping) {
      // The handlers that end in one turn of the event loop free their places together.
      await turn();
      // Completions that are about to go out come first: the claim may go with them.
      if (this.#environment.finisher.isDue) await turn();
      if (this.#stopping) return;
      const seen = this.#claiming.count;
      try {
        if (await this.#claimer.fill()) continue;
      } catch (error) {
        await this.#recover(error);
        continue;
      }
      // The keeper's look would only be in the way of the claim: it comes after it.
      if (this.#noticed) this.#keeping.wake();
      this.#noticed = false;
      // A free slot or a notice ends the wait; for what neither tells of, the keeper looks.
      if (!this.#stopping) await this.#claiming.wait(LONGEST_WAIT_MS, seen);
    }
  }

  /**
   * How many jobs may be claimed. A job whose handler has ended leaves its place while its end is being written, so that
   * claims and completions run side by side; bounded, for each of them holds a lease.
   */
  #freePlaces(): number {
    const { concurrency } = this.#options;
    return Math.min(concurrency - this.#busy, 2 * concurrency - this.#runs.size);
  }

  async #recover(error: unknown): Promise<void> {
    const { log, poll } = this.#options;
    logLook(log, error, "claiming failed; will try again");
    this.#idleLooks += 1;
    await this.#claiming.wait(pollDelayMs(this.#idleLooks, poll), this.#claiming.count);
  }

  /** Starts the jobs of a claim that was sent at a time, in milliseconds since 1970. */
  #launch(jobs: readonly ClaimedJob[], claimSentMs: number): void {
    if (jobs.length > 0) this.#idleLooks = 0;
    const { tracer } = this.#options;
    const { leaseMs } = this.#environment;
    const fresh = new Map<string, AttemptRun>();
    // All of them before any handler runs, for the first may keep the event loop busy.
    for (const job of jobs) {
      const key = claimKey(job);
      if (this.#runs.has(key)) {
        this.#giveBackHeld(job, key);
        continue;
      }
      const { jobId, attempt } = job;
      const isAlone = this.#quarantine?.takes(job) ?? false;
      // The process of a job that runs alone opens the span itself.
      const span = tracer && !isAlone ? openAttempt(tracer, job, claimSentMs) : undefined;
      const run = new AttemptRun(job, this.#environment, span);
      const maxAgeMs = run.timeoutMs + leaseMs + (isAlone ? QUARANTINE_GRACE_MS : 0);
      this.#heart?.hold(key, { jobId, attempt, maxAgeMs });
      this.#runs.set(key, run);
      this.#busy += 1;
      fresh.set(key, run);
    }
    for (const [key, run] of fresh) this.#start(key, run);
  }

  /**
   * A database that crashed may have forgotten a claim, and give this worker the same attempt once more. Then the run
   * that is under way has lost its lease, and the attempt is given back: two runs would bear the same token.
   */
  #giveBackHeld(job: ClaimedJob, key: string): void {
    this.#loseRuns([key]);
    const { db, log } = this.#options;
    const reason = "The database had forgotten the claim";
    db.transaction(async (tx) => release(tx, job, { reason })).catch((error: unknown) =>
      log.warn({ jobId: job.jobId, err: describeError(error) }, "could not give a job back; its lease will expire"),
    );
  }

  #start(key: string, run: AttemptRun): void {
    run.ended = this.#run(run).then(() => {
      this.#runs.delete(key);
      this.#heart?.drop(key);
      // Its end may have readied others, such as the next of its thread; behind a pooler no notice of that is heard.
      this.#claiming.wake();
    });
  }

  #run(run: AttemptRun): Promise<AttemptEnd> {
    if (this.#environment.log.isLevelEnabled("info")) run.log.info("job started");
    return this.#quarantine?.takes(run.job) ? this.#quarantine.run(run) : runJob(run);
  }

  async #keepLoop(): Promise<void> {
    const { log, poll } = this.#options;
    while (!this.#stopping) {
      const seen = this.#keeping.count;
      let delayMs = pollDelayMs(this.#idleLooks, poll);
      try {
        const { ready, limited, nextMs } = await this.#keeper.tend();
        if (limited) this.#claimer.expectLimited();
        if (ready || limited) this.#claiming.wake();
        delayMs = Math.max(Math.min(delayMs, nextMs), SHORTEST_WAIT_MS);
      } catch (error) {
        logLook(log, error, "looking for what is due failed; will try again");
      }
      this.#idleLooks += 1;
      if (!this.#stopping) await this.#keeping.wait(delayMs, seen);
      // Notices may come by the hundred: a look every few milliseconds is enough for what only the keeper does.
      if (!this.#stopping) await wait(SPACING_MS);
    }
  }
}

const LONGEST_WAIT_MS = 3_600_000;
const SHORTEST_WAIT_MS = 10;
const SPACING_MS = 20;

/** The heartbeat logs an outage once: looks that fail because of it stay silent. */
function logLook(log: Logger, error: unknown, message: string): void {
  const isAway = error instanceof DatabaseUnavailableError && error.isAbsence;
  log[isAway ? "debug" : "error"]({ err: describeError(error) }, message);
}
