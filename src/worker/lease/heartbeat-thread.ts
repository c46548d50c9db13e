/** The heartbeat's thread: extends the leases of the claims in the ledger, and renews the worker's registry entry. */
import { claimKey } from "#queue";
import { heartbeat, nameJobs, reportWorker } from "#queue/fleet";
import type { HeldClaim } from "#queue/fleet";
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { Database } from "#db";
import type { FromHeart, HeartSettings, ToHeart, WorkerState } from "./heart.ts";
import { Waker } from "../claim/waker.ts";
import { ClaimLedger } from "./claim-ledger.ts";
import { StuckLoop } from "./stuck-loop.ts";

if (parentPort === null) throw new Error("the heartbeat thread runs within a worker");
const port = parentPort;
const settings = workerData as HeartSettings;
const db = new Database({
  url: settings.url,
  prepare: settings.prepare,
  maxConnections: 1,
  applicationName: "threadmill-heartbeat",
});
const { heartbeatMs } = settings.report;
const ledger = new ClaimLedger(settings.report.workerId, settings.claims);
const loop = new StuckLoop(settings.leaseMs);
const waker = new Waker();
const LONGEST_RETRY_MS = 1_000;
/** As in the log's other lines. */
const FATAL = 60;
const WARN = 40;
const STDOUT_FD = 1;
const life: { state: WorkerState; stopping: boolean } = { state: "active", stopping: false };

const say = (message: FromHeart) => port.postMessage(message);

port.on("message", (message: ToHeart) => {
  if (message.type === "alive") {
    loop.answered();
    return;
  }
  if (message.type === "state") life.state = message.state;
  if (message.type === "stop") life.stopping = true;
  waker.wake();
});

say({ type: "ready" });

/** When the present series of failed beats began; undefined while they succeed. */
let missedAt: number | undefined;
/** How long the latest outage of the database took: a run that waited for it may be so much older. */
let outageMs = 0;

async function beat(): Promise<void> {
  if (missedAt !== undefined) outageMs = performance.now() - missedAt + heartbeatMs;
  const claims = ledger.read().map((claim) => ({ ...claim, maxAgeMs: claim.maxAgeMs + outageMs }));
  const { kept, cancelled } = await db.call((sql) => heartbeat(sql, claims, settings.leaseMs));
  const lost = claims.map(claimKey).filter((key) => !kept.has(key));
  say({ type: "beat", lost, cancelled: [...cancelled] });
  await db.call((sql) => reportWorker(sql, { ...settings.report, running: claims.length, state: life.state }));
}

/** Warns of a deaf process, and ends it where a run has kept its event loop busy beyond its timeout: its other jobs go on elsewhere. */
async function watchLoop(): Promise<void> {
  const overdue = loop.overdue(ledger.read(), performance.now());
  loop.asked(performance.now());
  say({ type: "alive?" });
  if (loop.becameDeaf(performance.now())) writeLog(WARN, await named(ledger.read()), DEAF);
  if (overdue.length === 0) return;
  const jobs = await named(overdue);
  // The look may have taken a while.
  if (loop.overdue(ledger.read(), performance.now()).length === 0) return;
  writeLog(FATAL, jobs, STUCK);
  process.kill(process.pid, "SIGKILL");
}

const DEAF =
  "the event loop does not answer: signals are not heard, and nothing is claimed, until these runs let it go on";
const STUCK = "a run keeps the event loop busy beyond its timeout: ending the process";

async function named(claims: readonly HeldClaim[]): Promise<object[]> {
  return db.call((sql) => nameJobs(sql, claims)).catch(() => claims.map(({ jobId }) => ({ jobId })));
}

/** Writes a line to the log by itself: the logger belongs to the thread that is stuck. Never throws. */
function writeLog(level: number, jobs: object[], msg: string): void {
  const line = { level, time: Date.now(), process: "heartbeat", workerId: settings.report.workerId, jobs, msg };
  try {
    writeSync(STDOUT_FD, `${JSON.stringify(line)}\n`);
  } catch {
    // A full or closed pipe must not end the heartbeats.
  }
}

while (!life.stopping) {
  await watchLoop();
  const seen = waker.count;
  const sentAt = performance.now();
  const isKept = await beat().then(
    () => true,
    (error: unknown) => {
      say({ type: "missed", message: error instanceof Error ? error.message : "unknown" });
      return false;
    },
  );
  missedAt = isKept ? undefined : (missedAt ?? sentAt);
  // When the database is back, leases that expired meanwhile are renewed before anybody may reap them.
  const delayMs = isKept ? heartbeatMs : Math.min(heartbeatMs, LONGEST_RETRY_MS) * (0.5 + Math.random() / 2);
  if (!life.stopping) await waker.wait(delayMs, seen);
}
life.state = "stopped";
await beat().catch(() => undefined);
await db.close();
say({ type: "stopped" });
port.close();
