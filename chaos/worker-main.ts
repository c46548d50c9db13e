import { hostname } from "node:os";
import { pino } from "pino";
import { pruneCheckpoints } from "#checkpoint";
import { Database, listen } from "#db";
import { CANCEL_CHANNEL, READY_CHANNEL } from "#queue";
import { mlWorkflow, saverOpener, Worker } from "#worker";
import type { TurnJobOptions } from "#worker";
import { chaosHandlers } from "./job-types.ts";
import type { FromWorker, ToWorker } from "./fleet.ts";
import { graphJobs } from "./graphs.ts";

// Nobody may be left to hear it.
const tell = (message: FromWorker) => process.send?.(message, undefined, undefined, () => undefined);

// A spare waits here, loaded, until it is needed.
await new Promise<void>((resolve) => {
  process.once("message", (_message: ToWorker) => resolve());
  process.once("SIGTERM", () => process.exit(0));
  process.once("disconnect", () => process.exit(0));
  tell({ type: "loaded" });
});
process.removeAllListeners("SIGTERM").removeAllListeners("disconnect");

/**
 * A worker as the product's, with the crash tests' job types, short leases and armed fault points. Its connections bear
 * its id: what it stores is known as its own.
 */
const url = process.env["DATABASE_URL"] ?? "";
const workerId = `chaos-${process.pid}-${Date.now().toString(36)}`;
const db = new Database({ url, maxConnections: 3, avoidTableScans: true, applicationName: workerId });
const turns: TurnJobOptions = {
  db,
  price: null,
  openSaver: saverOpener(db),
};
const worker = new Worker({
  db,
  connection: { url, prepare: true },
  log: pino({ level: "silent" }),
  handlers: [...chaosHandlers(db), mlWorkflow({ ...turns, model: null }), ...graphJobs(db, turns)],
  identity: { workerId, host: hostname(), pid: process.pid, version: "chaos" },
  concurrency: 4,
  leaseMs: 1_500,
  heartbeatMs: 300,
  poll: { minMs: 50, maxMs: 500 },
  retry: { baseMs: 20, capMs: 200 },
  defaultTimeoutMs: 20_000,
  retention: { completedMs: 86_400_000, failedMs: 86_400_000 },
  forgetThreads: pruneCheckpoints,
});
await worker.start();
tell({ type: "ready", workerId });
const listener = listen({
  url,
  channels: {
    [READY_CHANNEL]: () => worker.wake(),
    [CANCEL_CHANNEL]: (jobId) => jobId !== undefined && worker.cancel(jobId),
  },
});
const leave = async () => {
  await worker.stop(1_000);
  await listener.stop();
  await db.close();
  process.exit(0);
};
process.once("SIGTERM", () => void leave());
process.once("disconnect", () => void leave());
