import { once } from "node:events";
import { pino } from "pino";
import { ServiceStoppedError } from "#shared/service";
import { Worker as Thread } from "node:worker_threads";
import { beforeEach, expect, test, vi } from "vitest";
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

const makeHeartbeat = (...programs: string[]) => {
  for (const program of programs)
    vi.mocked(openThread).mockImplementationOnce(() => new Thread(program, { eval: true }));
  const report = { workerId: "w", host: "h", pid: 1, version: "0", concurrency: 1, heartbeatMs: 10_000, offers: [] };
  return new Heartbeat({
    settings: { url: "", prepare: true, leaseMs: 30_000, report },
    maxClaims: 2,
    log: pino({ level: "silent" }),
    onLost: () => undefined,
    onCancelled: () => undefined,
  });
};

test.each([
  ["exits", DIES],
  ["fails", FAILS],
])("a thread that %s before it is ready is started again", async (_how, program) => {
  const heartbeat = makeHeartbeat(program, LIVES);
  await heartbeat.start();
  expect(openThread).toHaveBeenCalledTimes(2);
  await heartbeat.stop();
});

test("a stop ends the start of a heartbeat whose thread never becomes ready", async () => {
  const heartbeat = makeHeartbeat(DIES);
  const starting = heartbeat.start();
  const [thread] = vi.mocked(openThread).mock.results;
  if (thread?.type !== "return") throw new Error("no thread was opened");
  await once(thread.value, "exit");
  await Promise.all([expect(starting).rejects.toThrow(ServiceStoppedError), heartbeat.stop()]);
});
