import type { ClaimedJob, Database, Tx } from "#queue";
import type { Offer } from "#queue/fleet";
import type { RetryPolicy } from "#queue/settle";
import type { Logger } from "pino";
import type { Tracer } from "#tracing";
import type { JobHandler, Middleware } from "./define-job.ts";
import type { PollBounds } from "./claim/poll-delay.ts";
import type { QuarantineOptions } from "./quarantine/quarantine.ts";
import type { AttemptEnd } from "./run/outcome-of.ts";

/** Calls that tests wait for instead of polling; absent in production. */
export interface WorkerSignals {
  /** A claim has committed, and the handler is about to run. */
  claimed?: (job: ClaimedJob) => void;
  /** The end of an attempt has committed, and the worker no longer holds its lease. */
  ended?: (job: ClaimedJob, end: AttemptEnd) => void;
}

/** Settings and parts of a worker; times are in milliseconds. */
export interface WorkerOptions {
  db: Database;
  /** The heartbeat thread opens its own connection with these. */
  connection: { url: string; prepare: boolean };
  log: Logger;
  handlers: readonly JobHandler[];
  middleware?: readonly Middleware[];
  /** Job types that failed to load, for the registry. */
  broken?: readonly Offer[];
  /** Traces attempts; absent without tracing. */
  tracer?: Tracer | undefined;
  identity: { workerId: string; host: string; pid: number; version: string };
  concurrency: number;
  leaseMs: number;
  heartbeatMs: number;
  poll: PollBounds;
  retry: RetryPolicy;
  defaultTimeoutMs: number;
  /** How long ended jobs are kept, in milliseconds. */
  retention: { completedMs: number; failedMs: number };
  /** Starts a child process for a job that has crashed before; without it, such a job runs in this process. */
  quarantine?: QuarantineOptions;
  /** Called for threads that have been idle for as long as completed jobs are kept. */
  pruneCheckpoints?: ((tx: Tx, threadIds: readonly string[]) => Promise<void>) | undefined;
  signals?: WorkerSignals;
}
