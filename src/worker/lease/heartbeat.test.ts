import { pino } from "pino";
import { ServiceStoppedError } from "#shared/service";
import { Worker as Thread } from "node:worker_threads";
import { beforeEach, expect, test, vi } from "vitest";
import { Database } from "#db";
import { Worker } from "../worker.ts";
import { Heartbeat } from "./heartbeat.ts";
import { openThread } from "./open-thread.ts";

vi.mock(import("./open-thread.ts"));
beforeEach(() => vi.mocked(openThread).mockReset());

const DIES = `process.exit(1)`;
const FAILS = `throw new Error("out of memory")`;
const LIVES = `
  const { parentPort } = require("node:worker_threads");
  parentPort.on("message", ({ type }) => type === "stop" && parentPort.close());
  parentPort.postMessage({ type: "ready" });`;

const log = pino({ level: "silent" });
/** Opens threads with these programs in turn, and with the last one again. Resolves when the first thread has exited. */
const openThreads = async (...programs: string[]) =>
  new Promise<void>((resolve) => {
    vi.mocked(openThread).mockImplementation(() => {
      const program = (programs.length > 1 ? programs.shift() : programs[0]) ?? "";
      return new Thread(program, { eval: true }).once("exit", () => resolve());
    });
  });
const makeHeartbeat = () => {
  const report = { workerId: "w", host: "h", pid: 1, version: "0", concurrency: 1, heartbeatMs: 10_000, offers: [] };
  return new Heartbeat({
    settings: { url: "", prepare: true, leaseMs: 30_000, report },
    maxClaims: 2,
    log,
    onLost: () => undefined,
    onCancelled: () => undefined,
  });
};

test.each([
  ["exits", DIES],
  ["fails", FAILS],
])("a thread that %s before it is ready is started again", async (_how, program) => {
  void openThreads(program, LIVES);
  const heartbeat = makeHeartbeat();
  await heartbeat.start();
  expect(openThread).toHaveBeenCalledTimes(2);
  await heartbeat.stop();
});

test("a stop ends the start of a heartbeat whose thread never becomes ready", async () => {
  const death = openThreads(DIES);
  const heartbeat = makeHeartbeat();
  const starting = heartbeat.start();
  await death;
  await Promise.all([expect(starting).rejects.toThrow(ServiceStoppedError), heartbeat.stop()]);
});

test("a stop ends the start of a worker whose heartbeat never becomes ready", async () => {
  const death = openThreads(DIES);
  const url = "postgres://u@127.0.0.1:1/refused";
  const db = new Database({ url, deadlineMs: 200 });
  const worker = new Worker({
    db,
    log,
    connection: { url, prepare: true },
    identity: { workerId: "w", host: "h", pid: 1, version: "0" },
    handlers: [],
    concurrency: 1,
    leaseMs: 30_000,
    heartbeatMs: 10_000,
    poll: { minMs: 60_000, maxMs: 60_000 },
    retry: { baseMs: 0, capMs: 0 },
    defaultTimeoutMs: 60_000,
    retention: { completedMs: 60_000, failedMs: 60_000 },
  });
  const starting = worker.start();
  await death;
  await Promise.all([expect(starting).rejects.toThrow(ServiceStoppedError), worker.stop()]);
  await db.close();
});
