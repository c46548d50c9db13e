import { CANCEL_CHANNEL, READY_CHANNEL } from "#queue/events";
import { hostname } from "node:os";
import { pino } from "pino";
import { pruneCheckpoints } from "#checkpoint";
import { Listener } from "#db";
import { Worker } from "#worker";
import type { FromWorker, ToWorker } from "./fleet.ts";
import { QUARANTINE_CRASHES } from "../load-facts.ts";
import { openParts } from "./open-parts.ts";

// The crash test may have exited. The callback ignores the error.
const send = (message: FromWorker) => process.send?.(message, undefined, undefined, () => undefined);

// A spare waits here, fully loaded, until the fleet needs it.
const { plan, quarantinePlan } = await new Promise<ToWorker>((resolve) => {
  process.once("message", resolve);
  process.once("SIGTERM", () => process.exit(0));
  process.once("disconnect", () => process.exit(0));
  send({ type: "loaded" });
});
process.env["FAULT_PLAN"] = JSON.stringify(plan);
process.env["FAULT_PLAN_QUARANTINE"] = JSON.stringify(quarantinePlan);
process.removeAllListeners("SIGTERM").removeAllListeners("disconnect");

// Like the product's worker, with the crash test's job types, short leases and armed fault points.
const url = process.env["DATABASE_URL"] ?? "";
const workerId = `chaos-${process.pid}-${Date.now().toString(36)}`;
const parts = openParts(workerId);
const { db } = parts;
const worker = new Worker({
  ...parts,
  connection: { url, prepare: true },
  log: pino({ level: "silent" }),
  identity: { workerId, host: hostname(), pid: process.pid, version: "chaos" },
  concurrency: 4,
  heartbeatMs: 300,
  poll: { minMs: 50, maxMs: 500 },
  retention: { completedMs: 86_400_000, failedMs: 86_400_000 },
  // Later than in the product, because starting processes is expensive.
  quarantine: {
    module: new URL("quarantine-main.js", import.meta.url),
    execArgv: [],
    afterCrashes: QUARANTINE_CRASHES,
  },
  pruneCheckpoints,
});
await worker.start();
send({ type: "ready", workerId });
const listener = new Listener({
  url,
  channels: {
    [READY_CHANNEL]: () => worker.wake(),
    [CANCEL_CHANNEL]: (jobId) => jobId !== undefined && worker.cancel(jobId),
  },
});
await listener.start();
const leave = async () => {
  await worker.stop(1_000);
  await listener.stop();
  await db.close();
  process.exit(0);
};
process.once("SIGTERM", () => void leave());
process.once("disconnect", () => void leave());
