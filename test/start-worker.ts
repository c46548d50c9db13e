import { READY_CHANNEL } from "#queue/events";
import { randomBytes } from "node:crypto";
import { Listener } from "#db";
import type { Database } from "#db";
import type { Tracer } from "#tracing";
import type { JobHandler } from "../src/worker/define-job.ts";
import { openLog } from "../src/worker/open-log.ts";
import type { QuarantineOptions } from "../src/worker/quarantine/quarantine.ts";
import type { WorkerSignals } from "../src/worker/worker-options.ts";
import { Worker } from "../src/worker/worker.ts";

export interface TestWorkerOptions {
  db: Database;
  url: string;
  handlers: readonly JobHandler[];
  concurrency?: number;
  leaseMs?: number;
  heartbeatMs?: number;
  /** Default 60 s: within a test, only a notice wakes the worker. */
  poll?: { minMs: number; maxMs: number };
  retry?: { baseMs: number; capMs: number };
  defaultTimeoutMs?: number;
  tracer?: Tracer;
  quarantine?: QuarantineOptions;
  /** False for a worker behind a pooler, where LISTEN hears nothing. */
  listens?: boolean;
  /** False when the URL is a pooler's. */
  prepare?: boolean;
  signals?: WorkerSignals;
}

export interface TestWorker {
  workerId: string;
  /** The log so far, one JSON object a line. */
  lines: string[];
  stop: (graceMs?: number) => Promise<void>;
}

/** Starts a worker in this process, as its main module does. */
export async function startWorker(options: TestWorkerOptions): Promise<TestWorker> {
  const workerId = `test-${randomBytes(3).toString("hex")}`;
  const lines: string[] = [];
  const settings = {
    concurrency: 4,
    leaseMs: 30_000,
    heartbeatMs: 10_000,
    poll: { minMs: 60_000, maxMs: 60_000 },
    retry: { baseMs: 0, capMs: 0 },
    defaultTimeoutMs: 60_000,
    retention: { completedMs: 86_400_000, failedMs: 86_400_000 },
    ...options,
    connection: { url: options.url, prepare: options.prepare ?? true },
    log: openLog("debug", { process: "worker", workerId }, { write: (line) => void lines.push(line) }),
    identity: { workerId, host: "test", pid: process.pid, version: "0.0.0" },
  };
  const worker = new Worker(settings);
  await worker.start();
  const listener = new Listener({ url: options.url, channels: { [READY_CHANNEL]: () => worker.wake() } });
  if (options.listens !== false) await listener.start();
  return {
    workerId,
    lines,
    async stop(graceMs = 10_000) {
      await worker.stop(graceMs);
      await listener.stop();
    },
  };
}
