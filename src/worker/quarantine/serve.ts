import type { ClaimedJob, Database } from "#queue";
import type { RetryPolicy } from "#queue/settle";
import { Worker as Thread } from "node:worker_threads";
import type { Logger } from "pino";
import type { Tracer } from "#tracing";
import { wrapHandlers } from "../define-job.ts";
import type { JobHandler, Middleware } from "../define-job.ts";
import { Completer } from "../claim/completer.ts";
import { AttemptRun } from "../run/attempt-run.ts";
import { runJob } from "../run/run-job.ts";
import { openAttempt } from "../run/trace-attempt.ts";
import type { FromQuarantine, ToQuarantine } from "./messages.ts";
import { toStopReason } from "./messages.ts";

/** The parts of the child process, the same as its worker has. */
export interface QuarantineParts {
  db: Database;
  log: Logger;
  handlers: readonly JobHandler[];
  middleware?: readonly Middleware[];
  tracer?: Tracer | undefined;
  retry: RetryPolicy;
  defaultTimeoutMs: number;
  leaseMs: number;
  /** Closes the parts after the attempt's end. */
  close: () => Promise<void>;
}

/**
 * Serves one job in this process: waits for the job, opens the parts, runs this attempt to its end and exits. The process
 * ignores signals, because its worker sends it drains and stops as messages. When the worker dies, the process ends at
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
    // The worker kills this process at the end of its patience.
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

/** The program of a thread that ends this process after its worker's death, also while a handler blocks the event loop. */
const WATCH = `
  const { workerData } = require("node:worker_threads");
  setInterval(() => process.ppid === workerData || process.kill(process.pid, "SIGKILL"), 1_000);`;

function endWithWorker(): void {
  process.once("disconnect", () => process.exit(1));
  // The worker may have died while this module was loaded.
  if (!process.connected) process.exit(1);
  new Thread(WATCH, { eval: true, execArgv: [], workerData: process.ppid }).unref();
}

async function send(message: FromQuarantine): Promise<void> {
  await new Promise<void>((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}
