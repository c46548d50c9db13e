import type { ClaimedJob } from "#queue";
import { Worker as Thread } from "node:worker_threads";
import { Completer } from "../claim/completer.ts";
import { wrapHandlers } from "../define-job.ts";
import { AttemptRun } from "../run/attempt-run.ts";
import { runJob } from "../run/run-job.ts";
import { openAttempt } from "../run/trace-attempt.ts";
import type { WorkerOptions } from "../worker-options.ts";
import { toStopReason } from "./messages.ts";
import type { FromQuarantine, ToQuarantine } from "./messages.ts";

/** The parts of the child process, equal to its worker's. */
export interface QuarantineParts extends Pick<
  WorkerOptions,
  "db" | "log" | "handlers" | "middleware" | "tracer" | "retry" | "defaultTimeoutMs" | "leaseMs"
> {
  /** Closes the parts after the attempt's end. */
  close: () => Promise<void>;
}

/**
 * Runs one attempt in this process: waits for the job, opens the parts, runs the attempt to its end and exits. The process
 * ignores UNIX signals, because its worker sends drains and stops as messages. When the worker dies, the process ends at
 * once, and the lease covers the job.
 */
export async function serveQuarantine(open: (job: ClaimedJob) => Promise<QuarantineParts>): Promise<never> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  endWithWorker();
  const drain = new AbortController();
  const stop = new AbortController();
  const job = await new Promise<ClaimedJob>((resolve) => {
    process.on("message", (message: ToQuarantine) => {
      if (message.type === "run") resolve(message.job);
      else if (message.type === "drain") drain.abort();
      else stop.abort(toStopReason(message));
    });
  });
  const claimSentMs = Date.now();
  const { db, log, tracer, handlers, middleware, close, ...settings } = await open(job);
  const span = tracer && openAttempt(tracer, job, claimSentMs);
  const environment = {
    ...settings,
    db,
    log,
    handlers: wrapHandlers(handlers, middleware),
    completer: new Completer(db),
    drain: drain.signal,
    // Never aborted: after the grace period the worker sends a stop, then kills this process.
    leaving: new AbortController().signal,
    onRan: () => undefined,
  };
  const run = new AttemptRun(job, environment, span);
  const onStop = () => run.abort(stop.signal.reason as Error);
  // A stop may have come while the parts were being opened.
  if (stop.signal.aborted) onStop();
  else stop.signal.addEventListener("abort", onStop);
  await send({ type: "began" });
  const { outcome } = await runJob(run);
  await close();
  await send({ type: "ended", outcome });
  process.exit(0);
}

/** A thread's program. It kills this process after its worker's death, even when a handler blocks the event loop. */
const WATCH = `
  const { workerData } = require("node:worker_threads");
  setInterval(() => process.ppid === workerData || process.kill(process.pid, "SIGKILL"), 1_000);`;

function endWithWorker(): void {
  process.once("disconnect", () => process.exit(1));
  // The worker may have died while this module was loading.
  if (!process.connected) process.exit(1);
  new Thread(WATCH, { eval: true, execArgv: [], workerData: process.ppid }).unref();
}

async function send(message: FromQuarantine): Promise<void> {
  await new Promise<void>((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}
