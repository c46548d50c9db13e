/** The heartbeat thread: extends the leases of the claims in the ledger, and renews the worker's registry entry. */
import { claimKey } from "#queue";
import { heartbeat, nameJobs, reportWorker } from "#queue/fleet";
import type { HeldClaim } from "#queue/fleet";
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { Database } from "#db";
import { ConditionVariable } from "../condition-variable.ts";
import type { FromHeartbeat, HeartbeatSettings, ToHeartbeat, WorkerState } from "./heartbeat.ts";
import { ClaimLedger } from "./claim-ledger.ts";
import { StuckLoop } from "./stuck-loop.ts";

if (parentPort === null) throw new Error("the heartbeat thread must be started by a worker");
const port = parentPort;
const settings = workerData as HeartbeatSettings;
const db = new Database({
  url: settings.url,
  prepare: settings.prepare,
  maxConnections: 1,
  applicationName: "threadmill-heartbeat",
});
const { heartbeatMs } = settings.report;
const ledger = new ClaimLedger(settings.report.workerId, settings.claims);
const loop = new StuckLoop(settings.leaseMs);
const wakeup = new ConditionVariable();
const LONGEST_RETRY_MS = 1_000;
/** The levels of pino. */
const FATAL = 60;
const WARN = 40;
const STDOUT_FD = 1;
const worker: { state: WorkerState; isStopping: boolean } = { state: "active", isStopping: false };

const send = (message: FromHeartbeat) => port.postMessage(message);

port.on("message", (message: ToHeartbeat) => {
  if (message.type === "alive") {
    loop.answered();
    return;
  }
  if (message.type === "state") worker.state = message.state;
  if (message.type === "stop") worker.isStopping = true;
  wakeup.notify();
});

send({ type: "ready" });

/** When the current series of failed heartbeats began, by `performance.now`; undefined while they succeed. */
let missedAt: number | undefined;
/** The length of the latest outage. Runs waited for the database, so it extends each claim's age limit. */
let outageMs = 0;

async function beat(): Promise<void> {
  if (missedAt !== undefined) outageMs = performance.now() - missedAt + heartbeatMs;
  const claims = ledger.read().map((claim) => ({ ...claim, maxAgeMs: claim.maxAgeMs + outageMs }));
  const { kept, cancelled } = await db.call((sql) => heartbeat(sql, claims, settings.leaseMs));
  const lost = claims.map(claimKey).filter((key) => !kept.has(key));
  send({ type: "beat", lost, cancelled: [...cancelled] });
  await db.call((sql) => reportWorker(sql, { ...settings.report, running: claims.length, state: worker.state }));
}

/**
 * Warns when the worker's event loop is blocked. Kills the process when a run blocks the loop beyond its timeout, so that
 * other workers can run its other jobs.
 */
async function watchLoop(): Promise<void> {
  const overdue = loop.overdue(ledger.read(), performance.now());
  loop.asked(performance.now());
  send({ type: "alive?" });
  if (loop.becameBlocked(performance.now())) writeLog(WARN, await describeJobs(ledger.read()), BLOCKED);
  if (overdue.length === 0) return;
  const jobs = await describeJobs(overdue);
  // The loop may have answered during the query.
  if (loop.overdue(ledger.read(), performance.now()).length === 0) return;
  writeLog(FATAL, jobs, STUCK);
  process.kill(process.pid, "SIGKILL");
}

const BLOCKED =
  "the event loop is blocked: the worker handles no signal and claims nothing until one of these runs yields";
const STUCK = "a run blocks the event loop beyond its timeout: ending the process";

async function describeJobs(claims: readonly HeldClaim[]): Promise<object[]> {
  return db.call((sql) => nameJobs(sql, claims)).catch(() => claims.map(({ jobId }) => ({ jobId })));
}

/** Writes a log line without the logger, which belongs to the blocked thread. Never throws. */
function writeLog(level: number, jobs: object[], msg: string): void {
  const line = { level, time: Date.now(), process: "heartbeat", workerId: settings.report.workerId, jobs, msg };
  try {
    writeSync(STDOUT_FD, `${JSON.stringify(line)}\n`);
  } catch {
    // A full or closed pipe must not end the heartbeats.
  }
}

while (!worker.isStopping) {
  await watchLoop();
  const seen = wakeup.count;
  const sentAt = performance.now();
  const isKept = await beat().then(
    () => true,
    (error: unknown) => {
      send({ type: "missed", message: error instanceof Error ? error.message : "unknown" });
      return false;
    },
  );
  missedAt = isKept ? undefined : (missedAt ?? sentAt);
  // Short retries: after an outage, expired leases must be renewed before another worker may reap them.
  const delayMs = isKept ? heartbeatMs : Math.min(heartbeatMs, LONGEST_RETRY_MS) * (0.5 + Math.random() / 2);
  if (!worker.isStopping) await wakeup.wait(delayMs, seen);
}
worker.state = "stopped";
await beat().catch(() => undefined);
await db.close();
port.close();
