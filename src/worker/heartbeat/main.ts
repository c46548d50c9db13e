/** The heartbeat's thread: extends the leases of the claims it is told of, and renews the worker's registry entry. */
import { parentPort, workerData } from "node:worker_threads";
import { Database } from "#db";
import { claimKey, heartbeat, reportWorker } from "#queue";
import type { HeldClaim } from "#queue";
import type { FromHeart, HeartSettings, ToHeart, WorkerState } from "../heart.ts";
import { Waker } from "../waker.ts";

if (parentPort === null) throw new Error("the heartbeat thread runs within a worker");
const port = parentPort;
const settings = workerData as HeartSettings;
const db = new Database({
  url: settings.url,
  prepare: settings.prepare,
  maxConnections: 1,
  applicationName: "threadmill-heartbeat",
});
const held = new Map<string, HeldClaim>();
const waker = new Waker();
const life: { state: WorkerState; stopping: boolean } = { state: "active", stopping: false };

const say = (message: FromHeart) => port.postMessage(message);

port.on("message", (message: ToHeart) => {
  if (message.type === "hold") for (const claim of message.claims) held.set(claimKey(claim), claim);
  if (message.type === "drop") for (const key of message.keys) held.delete(key);
  if (message.type === "state") life.state = message.state;
  if (message.type === "stop") life.stopping = true;
  if (message.type === "state" || message.type === "stop") waker.wake();
});

say({ type: "ready" });

async function beat(): Promise<void> {
  const claims = [...held.values()];
  const { kept, cancelled } = await db.call((sql) => heartbeat(sql, claims, settings.leaseMs));
  const lost = claims.map(claimKey).filter((key) => !kept.has(key));
  for (const key of lost) held.delete(key);
  say({ type: "beat", lost, cancelled: [...cancelled] });
  await db.call((sql) => reportWorker(sql, { ...settings.report, running: held.size, state: life.state }));
}

while (!life.stopping) {
  const seen = waker.count;
  await beat().catch((error: unknown) =>
    say({ type: "missed", message: error instanceof Error ? error.message : "unknown" }),
  );
  if (!life.stopping) await waker.wait(settings.heartbeatMs, seen);
}
life.state = "stopped";
await beat().catch(() => undefined);
await db.close();
say({ type: "stopped" });
port.close();
