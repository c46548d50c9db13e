import type { ClaimedJob } from "#queue";
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Logger } from "pino";
import { CRASHES_BEFORE_QUARANTINE } from "#shared/limits";
import { JobTimeoutError, ProcessDiedError, SnoozeError } from "../errors.ts";
import { describeError } from "../run/describe-error.ts";
import type { AttemptRun } from "../run/attempt-run.ts";
import { uncountedAttempts, releaseDelayMs } from "../claim/refuse.ts";
import { endAttempt } from "../run/run-job.ts";
import type { AttemptEnd } from "../run/outcome-of.ts";
import { toStopMessage } from "./messages.ts";
import type { FromQuarantine, ToQuarantine } from "./messages.ts";

export interface QuarantineOptions {
  /** The main module of the child process; it calls `serveQuarantine`. */
  module: URL;
  /** The child's options of Node.js; those of this process unless given. */
  execArgv?: string[];
  /** The number of crashes from which on a job runs alone; 2 unless given. */
  afterCrashes?: number;
}

/** The most child processes at once: each takes 100 MB or more. */
const MAX_CHILDREN = 4;
/** The first delay of a job that finds too many children, in milliseconds: about as long as most runs. */
const NO_PLACE_MS = 2_000;
/** How long a child may live after a stop or its timeout, in milliseconds. */
const STOP_LIMIT_MS = 5_000;
/** How long a child may take until it runs its job, in milliseconds. */
const START_LIMIT_MS = 60_000;
/** How often a job whose child does not start is released without using a retry. */
const MAX_FAILED_STARTS = 20;
/** The additional time for which a claim may be held, to start and end the child, in milliseconds. */
export const QUARANTINE_GRACE_MS = START_LIMIT_MS + 3 * STOP_LIMIT_MS;
/** The longest time of a Node.js timer. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Runs each job that has crashed before alone in a new child process. If the process dies, the job is to blame, and the
 * worker's other jobs run on. The worker keeps the lease; the child writes under the same claim.
 */
export class Quarantine {
  readonly #options: QuarantineOptions;
  readonly #log: Logger;
  readonly #children = new Set<ChildProcess>();
  #runningCount = 0;

  constructor(options: QuarantineOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  /** True when a job has crashed often enough to run alone. */
  takes({ crashCount }: Pick<ClaimedJob, "crashCount">): boolean {
    return crashCount >= (this.#options.afterCrashes ?? CRASHES_BEFORE_QUARANTINE);
  }

  /** Runs one attempt to its end, or releases the job for a few seconds when too many others run alone. */
  async run(run: AttemptRun): Promise<AttemptEnd> {
    const { onRan } = run.environment;
    if (this.#runningCount >= MAX_CHILDREN) {
      onRan();
      const why = `It has crashed before and waits to run alone, while this worker runs ${MAX_CHILDREN} others alone`;
      return endAttempt(run, new SnoozeError(releaseDelayMs(run.job, NO_PLACE_MS), why));
    }
    this.#runningCount += 1;
    try {
      return await this.#runChild(run);
    } catch (error) {
      // The system has no memory or no file descriptor for another process.
      onRan();
      return await endAttempt(run, notStarted(run, describeError(error).message));
    } finally {
      this.#runningCount -= 1;
    }
  }

  /** Kills the child processes: the leases cover their jobs. */
  abandon(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  async #runChild(run: AttemptRun): Promise<AttemptEnd> {
    const { jobId, attempt, crashCount } = run.job;
    const { module, execArgv = process.execArgv } = this.#options;
    const child = fork(module, [], { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#log.info({ jobId, attempt, crashCount, pid: child.pid }, "job runs alone in a child process");
    this.#children.add(child);
    const exit = await this.#follow(child, run).finally(() => this.#children.delete(child));
    run.environment.onRan();
    if (exit.outcome !== undefined) return { outcome: exit.outcome };
    return endAttempt(run, reasonOf(run, exit));
  }

  /** Hands a child its job and waits until it has exited. */
  async #follow(child: ChildProcess, run: AttemptRun): Promise<Exit> {
    const { job, timeoutMs } = run;
    // The child enforces the timeout too, unless its event loop is blocked.
    const { received, exited } = watch(child, () => run.abort(new JobTimeoutError(timeoutMs)), timeoutMs);
    send(child, { type: "run", job });
    const unsubscribe = forwardStops(child, { stop: run.signal, drain: run.drain });
    const exit = await exited;
    unsubscribe();
    return { ...exit, ...received };
  }
}

interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  hasBegun: boolean;
  /** Undefined when the child died before it sent the attempt's outcome. */
  outcome: AttemptEnd["outcome"] | undefined;
}

/** The error of an attempt whose child ended without sending an outcome. */
function reasonOf(run: AttemptRun, { code, signal, hasBegun }: Exit): Error {
  // A child that ignored its stop was killed: the stop's reason decides the outcome.
  if (run.stopReason) return run.stopReason;
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  if (!hasBegun) return notStarted(run, how);
  return new ProcessDiedError(`The process died while only this job ran (${how})`);
}

/** A process that does not start is not the job's fault, except after too many tries. */
function notStarted({ job }: AttemptRun, how: string): Error {
  const why = `The process for this job did not start (${how})`;
  return uncountedAttempts(job) < MAX_FAILED_STARTS ? new SnoozeError(releaseDelayMs(job), why) : new Error(why);
}

/** Collects a child's messages until its exit; calls `onOverdue` when it exceeds its job's timeout. */
function watch(child: ChildProcess, onOverdue: () => void, timeoutMs: number) {
  const received: Pick<Exit, "hasBegun" | "outcome"> = { hasBegun: false, outcome: undefined };
  let timer: NodeJS.Timeout | undefined = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
  child.on("message", (message: FromQuarantine) => {
    if (message.type === "ended") received.outcome = message.outcome;
    else {
      received.hasBegun = true;
      clearTimeout(timer);
      timer = setTimeout(onOverdue, Math.min(timeoutMs + STOP_LIMIT_MS, LONGEST_TIMER_MS));
    }
  });
  const exited = once(child, "exit")
    .then(
      ([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }),
      // The child could not be started.
      () => ({ code: null, signal: null }),
    )
    .finally(() => clearTimeout(timer));
  // Sending a message to an exited child emits an error.
  child.on("error", () => undefined);
  return { received, exited };
}

/** Forwards drains and stops to a child, and kills a child that does not stop. Returns a function that ends this. */
function forwardStops(child: ChildProcess, { stop, drain }: { stop: AbortSignal; drain: AbortSignal }): () => void {
  let forced: NodeJS.Timeout | undefined;
  const onStop = () => {
    // The child has not enforced its timeout, so its event loop is blocked.
    if (stop.reason instanceof JobTimeoutError) return void child.kill("SIGKILL");
    send(child, toStopMessage(stop.reason));
    forced = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
    return undefined;
  };
  const onDrain = () => send(child, { type: "drain" });
  for (const [signal, listener] of [[stop, onStop] as const, [drain, onDrain] as const]) {
    if (signal.aborted) listener();
    else signal.addEventListener("abort", listener);
  }
  return () => {
    clearTimeout(forced);
    stop.removeEventListener("abort", onStop);
    drain.removeEventListener("abort", onDrain);
  };
}

function send(child: ChildProcess, message: ToQuarantine): void {
  child.send(message, () => undefined);
}
