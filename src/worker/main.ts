import { CANCEL_CHANNEL, READY_CHANNEL } from "#queue/events";
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Logger } from "pino";
import { Listener } from "#db";
import { loadEnv } from "#env";
import type { Settings } from "#env";
import { pruneCheckpoints } from "#checkpoint";
import { assemble, orExit } from "./assemble.ts";
import { Worker } from "./worker.ts";

const VERSION = "0.1.0";
const QUARANTINE = new URL(`./quarantine/main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

async function main(settings: Settings): Promise<void> {
  const workerId = `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const maxConnections = Math.min(settings.WORKER_CONCURRENCY + 2, 20);
  const parts = await assemble(settings, { workerId, process: "worker", maxConnections });
  const { connection, db, log, tracer } = parts;
  const worker = new Worker({
    ...parts,
    identity: { workerId, host: hostname(), pid: process.pid, version: VERSION },
    concurrency: settings.WORKER_CONCURRENCY,
    heartbeatMs: settings.HEARTBEAT_MS,
    poll: { minMs: settings.POLL_MIN_MS, maxMs: settings.POLL_MAX_MS },
    retention: { completedMs: settings.RETENTION_COMPLETED_MS, failedMs: settings.RETENTION_FAILED_MS },
    quarantine: { module: QUARANTINE },
    pruneCheckpoints,
  });
  await worker.start();
  const listener = listenFor(worker, settings.DATABASE_LISTEN_URL ?? connection.url);
  await listener.start();
  log.info({ concurrency: settings.WORKER_CONCURRENCY, model: settings.MODEL ?? "offline" }, "worker ready");
  process.send?.({ type: "ready" });
  leaveOnSignals(log, {
    async drain() {
      await worker.stop(settings.SHUTDOWN_GRACE_MS);
      await listener.stop();
      await Promise.all([db.close(), tracer?.close()]);
    },
    abandon: () => worker.abandon(),
  });
}

function listenFor(worker: Worker, url: string): Listener {
  return new Listener({
    url,
    channels: {
      [READY_CHANNEL]: () => worker.wake(),
      // The next heartbeat repeats a cancellation whose notice was lost.
      [CANCEL_CHANNEL]: (jobId) => jobId !== undefined && worker.cancel(jobId),
    },
  });
}

/** Drains at the first signal, and exits at once at the second. */
function leaveOnSignals(log: Logger, { drain, abandon }: { drain: () => Promise<void>; abandon: () => void }): void {
  let isLeaving = false;
  const leave = (signal: string) => {
    if (isLeaving) {
      log.warn({ signal }, "second signal: exiting at once; the leases cover the running jobs");
      abandon();
      process.exit(1);
    }
    isLeaving = true;
    log.info({ signal }, "draining");
    void drain().then(() => {
      log.info("worker stopped");
      process.exit(0);
    });
  };
  process.on("SIGTERM", () => leave("SIGTERM"));
  process.on("SIGINT", () => leave("SIGINT"));
  // The launcher has ended, so no other process would stop this one.
  process.on("disconnect", () => leave("disconnect"));
}

await orExit(() => main(loadEnv()));
