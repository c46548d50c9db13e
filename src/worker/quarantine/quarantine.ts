import type { ClaimedJob } from "#queue";
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Logger } from "pino";
import { CRASHES_BEFORE_QUARANTINE } from "#shared/limits";
import { JobTimeoutError, ProcessDiedError, SnoozeError } from "../errors.ts";
import { describeError } from "../run/describe-error.ts";
import type { AttemptRun } from "../run/attempt-run.ts";
import { countUnrun, putBackDelayMs } from "../claim/refuse.ts";
import { endAttempt } from "../run/run-job.ts";
import type { AttemptEnd } from "../run/outcome-of.ts";
import { toStopMessage } from "./messages.ts";
import type { FromQuarantine, ToQuarantine } from "./messages.ts";

export interface QuarantineOptions {
  /** The module of the child process: it calls `serveQuarantine`. */
  module: URL;
  /** Options of Node.js for it; this process's own unless given. */
  execArgv?: string[];
  /** From how many crashes on a job runs alone; 2 unless given. */
  afterCrashes?: number;
}

/** The most jobs that run alone at once: each has a process of 100 MB and more. */
const MOST_AT_ONCE = 4;
/** First delay of a job that finds no free child, in milliseconds; most runs take about as long. */
const NO_PLACE_MS = 2_000;
/** How long a child that was told to stop, or whose time is up, may still take, in milliseconds. */
const STOP_LIMIT_MS = 5_000;
/** How long a child may take until it runs its job, in milliseconds; then it is ended. */
const START_LIMIT_MS = 60_000;
/** How often a job is put back unrun before that uses a retry. */
const MOST_FAILED_STARTS = 20;
/** How much longer than in the worker's own process a claim may be held, in milliseconds: to start and to end the child. */
export const QUARANTINE_GRACE_MS = START_LIMIT_MS + 3 * STOP_LIMIT_MS;
/** The longest wait that a timer of Node.js takes. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Runs jobs that have crashed before, each alone in a fresh child process: if that dies, the job is proven to be the
 * culprit, and the worker's other jobs go on. The worker keeps the lease; the child writes under the same claim.
 */
export class Quarantine {
  readonly #options: QuarantineOptions;
  readonly #log: Logger;
  readonly #children = new Set<ChildProcess>();
  #running = 0;

  constructor(options: QuarantineOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  /** Whether a job has crashed often enough to run alone. */
  takes({ crashCount }: Pick<ClaimedJob, "crashCount">): boolean {
    return crashCount >= (this.#options.afterCrashes ?? CRASHES_BEFORE_QUARANTINE);
  }

  /** Runs one job to the end of this attempt, or puts it back for a moment when enough others run alone. */
  async run(run: AttemptRun): Promise<AttemptEnd> {
    const { onRan } = run.environment;
    if (this.#running >= MOST_AT_ONCE) {
      onRan();
      const why = `It has crashed before and waits to run alone: ${MOST_AT_ONCE} others do on this worker`;
      return endAttempt(run, new SnoozeError(putBackDelayMs(run.job, NO_PLACE_MS), why));
    }
    this.#running += 1;
    try {
      return await this.#runChild(run);
    } catch (error) {
      // There is no memory or no descriptor left for a process.
      onRan();
      return await endAttempt(run, notStarted(run, describeError(error).message));
    } finally {
      this.#running -= 1;
    }
  }

  /** Ends the child processes at once: the leases cover their jobs. */
  abandon(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  async #runChild(run: AttemptRun): Promise<AttemptEnd> {
    const { jobId, attempt, crashCount } = run.job;
    const { module, execArgv = process.execArgv } = this.#options;
    const child = fork(module, [], { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#log.info({ jobId, attempt, crashCount, pid: child.pid }, "job runs alone in a process of its own");
    this.#children.add(child);
    const end = await this.#follow(child, run).finally(() => this.#children.delete(child));
    run.environment.onRan();
    if (end.ended !== undefined) return { outcome: end.ended };
    return endAttempt(run, reasonOf(run, end));
  }

  /** Hands a child its job and waits until it has exited. */
  async #follow(child: ChildProcess, run: AttemptRun): Promise<Exit> {
    const { job, timeoutMs } = run;
    // The child ends its run in time by itself, unless its event loop is blocked.
    const { said, exited } = watch(child, () => run.abort(new JobTimeoutError(timeoutMs)), timeoutMs);
    tell(child, { type: "run", job });
    const release = passStops(child, { stop: run.signal, drain: run.drain });
    const exit = await exited;
    release();
    return { ...exit, ...said };
  }
}

interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  began: boolean;
  /** How the attempt ended, where the child said so. */
  ended: AttemptEnd["outcome"] | undefined;
}

/** What it means for the job that its process ended without a word. */
function reasonOf(run: AttemptRun, { code, signal, began }: Exit): Error {
  // A child that ignored its stop was killed: the stop's reason decides the outcome.
  if (run.stopReason) return run.stopReason;
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  if (!began) return notStarted(run, how);
  return new ProcessDiedError(`The process died while only this job ran (${how})`);
}

/** A process that does not start says nothing about the job, unless it never does. */
function notStarted({ job }: AttemptRun, how: string): Error {
  const why = `The process for this job did not start (${how})`;
  return countUnrun(job) < MOST_FAILED_STARTS ? new SnoozeError(putBackDelayMs(job), why) : new Error(why);
}

/** Follows what a child says until it has exited; calls back when it runs for longer than its job may take. */
function watch(child: ChildProcess, onOverdue: () => void, timeoutMs: number) {
  const said: Pick<Exit, "began" | "ended"> = { began: false, ended: undefined };
  let timer: NodeJS.Timeout | undefined = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
  child.on("message", (message: FromQuarantine) => {
    if (message.type === "ended") said.ended = message.outcome;
    else {
      said.began = true;
      clearTimeout(timer);
      timer = setTimeout(onOverdue, Math.min(timeoutMs + STOP_LIMIT_MS, LONGEST_TIMER_MS));
    }
  });
  const exited = once(child, "exit")
    .then(
      ([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }),
      // It could not be started.
      () => ({ code: null, signal: null }),
    )
    .finally(() => clearTimeout(timer));
  // A child that has gone takes no more messages.
  child.on("error", () => undefined);
  return { said, exited };
}

/** Passes on what the run is told, and kills a child that does not stop; returns how to end that. */
function passStops(child: ChildProcess, { stop, drain }: { stop: AbortSignal; drain: AbortSignal }): () => void {
  let forced: NodeJS.Timeout | undefined;
  const onStop = () => {
    // A run that did not end in time by itself is deaf.
    if (stop.reason instanceof JobTimeoutError) return void child.kill("SIGKILL");
    tell(child, toStopMessage(stop.reason));
    forced = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
    return undefined;
  };
  const onDrain = () => tell(child, { type: "drain" });
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

function tell(child: ChildProcess, message: ToQuarantine): void {
  child.send(message, () => undefined);
}
