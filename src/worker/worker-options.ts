import type { Database, Tx } from "#queue";
import type { Offer } from "#queue/fleet";
import type { RetryPolicy } from "#queue/settle";
import type { Logger } from "pino";
import type { Tracer } from "#tracing";
import type { JobHandler, Middleware } from "./define-job.ts";
import type { PollBounds } from "./claim/poll-delay.ts";
import type { QuarantineOptions } from "./quarantine/quarantine.ts";

/** What a worker is made of; times are in milliseconds. */
export interface WorkerOptions {
  db: Database;
  /** What the heartbeat's own connection is made with. */
  connection: { url: string; prepare: boolean };
  log: Logger;
  handlers: readonly JobHandler[];
  middleware?: readonly Middleware[];
  /** The job types that it was to run and cannot, for the registry. */
  broken?: readonly Offer[];
  /** What attempts are traced with; absent where nothing is traced. */
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
  /** How to start a process for a job that crashed before; without it such a job runs in this process as any other. */
  quarantine?: QuarantineOptions;
  /** Deletes what is kept of the past of threads that are idle for as long as completed jobs are kept. */
  forgetThreads?: (tx: Tx, threadIds: readonly string[]) => Promise<void>;
}
