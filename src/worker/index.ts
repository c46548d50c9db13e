/**
 * The worker claims jobs, keeps their leases, runs their handlers, and does the queue's work that is due by the clock. It
 * owns an attempt from claim to end, and must not know HTTP. Invariant: an attempt that lost its lease changes nothing.
 */
export { defineJob, snooze } from "./define-job.ts";
export type { JobDefinition, JobHandler, JobType, Middleware, RunContext, RunResult } from "./define-job.ts";
export { PermanentError, RetryAfterError, ShutdownError } from "./errors.ts";
export { exportThread } from "./jobs/export-thread.ts";
export { graphJob } from "./jobs/graph-job.ts";
export type { TurnJobOptions } from "./jobs/turn-job.ts";
export { serveQuarantine } from "./quarantine/serve.ts";
export { mlWorkflow } from "./jobs/ml-workflow.ts";
export { drain, runInline } from "./testing.ts";
export { Worker } from "./worker.ts";
export type { WorkerOptions } from "./worker-options.ts";
