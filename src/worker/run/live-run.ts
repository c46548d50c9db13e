import type { ClaimedJob } from "#queue";
import type { Logger } from "pino";
import type { Span } from "#tracing";
import type { Run } from "./run-job.ts";
import { RunStop } from "./run-stop.ts";

/** What the runs of a worker have in common. */
export interface LiveRunMeans {
  /** Its lines name the worker already. */
  log: Logger;
  /** Called when a run's handler has ended and only the writing of how is left. */
  onRan: () => void;
}

interface LiveRunOptions {
  /** Undefined where nothing is traced. */
  span: Span | undefined;
  /** Made unless given. */
  stop?: RunStop;
  means: LiveRunMeans;
}

const NOT_STARTED = Promise.resolve();

/** An attempt that a worker holds a lease for: while its handler runs, and while its end is being written. */
export class LiveRun implements Run {
  readonly job: ClaimedJob;
  readonly stop: RunStop;
  resendingCount = 0;
  /** What the attempt is told of in; undefined where nothing is traced. */
  readonly span: Span | undefined;
  /** Resolves when all of it has ended. */
  ended = NOT_STARTED;
  readonly #means: LiveRunMeans;
  #log: Logger | undefined;

  constructor(job: ClaimedJob, { span, stop = new RunStop(), means }: LiveRunOptions) {
    this.job = job;
    this.stop = stop;
    this.span = span;
    this.#means = means;
  }

  get onRan(): () => void {
    return this.#means.onRan;
  }

  /** Like all that a run hands out, a function that can be taken out of it. */
  get log(): () => Logger {
    return () => (this.#log ??= this.#makeLog());
  }

  #makeLog(): Logger {
    const { jobId, threadId, attempt, jobType } = this.job;
    const trace = this.span && { traceId: this.span.traceId };
    return this.#means.log.child({ jobId, threadId, attempt, jobType, ...trace });
  }
}
