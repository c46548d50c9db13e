import type { ClaimedJob, Database } from "#queue";
import type { RetryPolicy } from "#queue/settle";
import { Worker as Thread } from "node:worker_threads";
import type { Logger } from "pino";
import type { Tracer } from "#tracing";
import { wrapHandlers } from "../define-job.ts";
import type { JobHandler, Middleware } from "../define-job.ts";
import { Completer } from "../claim/completer.ts";
import { LiveRun } from "../run/live-run.ts";
import { runJob } from "../run/run-job.ts";
import { RunStop } from "../run/run-stop.ts";
import { followAttempt, openAttempt } from "../run/trace-attempt.ts";
import type { FromQuarantine, ToQuarantine } from "./messages.ts";
import { toStopReason } from "./messages.ts";

/** What the child process runs its job with: the same as its worker has. */
export interface QuarantineMeans {
  db: Database;
  log: Logger;
  handlers: readonly JobHandler[];
  middleware?: readonly Middleware[];
  tracer?: Tracer | undefined;
  retry: RetryPolicy;
  defaultTimeoutMs: number;
  leaseMs: number;
  /** Closes what was opened, once the attempt has ended. */
  close: () => Promise<void>;
}

/**
 * The life of a process in which one job runs alone: waits for the job, opens what is needed, runs it to the end of this
 * attempt and exits. Signals are left to the worker, which passes on what they mean; without the worker the process ends
 * at once, and the lease covers the job.
 */
export async function serveQuarantine(open: (job: ClaimedJob) => Promise<QuarantineMeans>): Promise<never> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  endWithWorker();
  const stop = new RunStop();
  const drain = new AbortController();
  const job = await new Promise<ClaimedJob>((resolve) => {
    process.on("message", (message: ToQuarantine) => {
      if (message.type === "run") resolve(message.job);
      else if (message.type === "drain") drain.abort();
      else stop.abort(toStopReason(message));
    });
  });
  const sentAt = Date.now();
  const { db, log, tracer, handlers, middleware, close, ...settings } = await open(job);
  const span = tracer && openAttempt(tracer, job, sentAt);
  const run = new LiveRun(job, { span, stop, means: { log, onRan: () => undefined } });
  const environment = {
    ...settings,
    db,
    logs: log.isLevelEnabled("info"),
    handlers: wrapHandlers(handlers, middleware),
    completer: new Completer(db),
    drain: drain.signal,
    // The worker ends this process when it has waited long enough.
    leaving: new AbortController().signal,
  };
  await say({ type: "began" });
  const { outcome } = await (span ? followAttempt(span, () => runJob(run, environment)) : runJob(run, environment));
  await close();
  await say({ type: "ended", outcome });
  process.exit(0);
}

/** The program of a thread that ends this process when its worker has gone, however deaf the event loop is. */
const WATCH = `
  const { workerData } = require("node:worker_threads");
  setInterval(() => process.ppid === workerData || process.kill(process.pid, "SIGKILL"), 1_000);`;

function endWithWorker(): void {
  process.once("disconnect", () => process.exit(1));
  // It may have gone while this module was loaded.
  if (!process.connected) process.exit(1);
  new Thread(WATCH, { eval: true, execArgv: [], workerData: process.ppid }).unref();
}

async function say(message: FromQuarantine): Promise<void> {
  await new Promise<void>((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}
