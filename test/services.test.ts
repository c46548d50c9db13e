import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Database, Listener } from "#db";
import { ServiceStoppedError } from "#shared/service";
import type { Service } from "#shared/service";
import { Worker } from "#worker";
import { JobFeeds } from "../src/server/live/job-feeds.ts";
import { Heartbeat } from "../src/worker/lease/heartbeat.ts";
import { startRefusingServer } from "./refusing-server.ts";
import type { RefusingServer } from "./refusing-server.ts";

/** Refuses every connection: a service starts and stops without its database as well. */
let server: RefusingServer;
let url: string;
let db: Database;
beforeAll(async () => {
  server = await startRefusingServer("closes");
  url = `postgres://u@127.0.0.1:${server.port}/d`;
  db = new Database({ url, deadlineMs: 200 });
});
afterAll(async () => {
  await db.close();
  await server.close();
});

const log = pino({ level: "silent" });
const identity = { workerId: "w", host: "h", pid: 1, version: "0" };
const timing = { concurrency: 1, heartbeatMs: 10_000 };
const SERVICES: [name: string, make: () => Service][] = [
  ["Listener", () => new Listener({ url, channels: { c: () => undefined } })],
  ["JobFeeds", () => new JobFeeds(db)],
  [
    "Heartbeat",
    () =>
      new Heartbeat({
        settings: { url, prepare: true, leaseMs: 30_000, report: { ...identity, ...timing, offers: [] } },
        maxClaims: 2,
        log,
        onLost: () => undefined,
        onCancelled: () => undefined,
      }),
  ],
  [
    "Worker",
    () =>
      new Worker({
        db,
        log,
        identity,
        ...timing,
        connection: { url, prepare: true },
        handlers: [],
        leaseMs: 30_000,
        poll: { minMs: 60_000, maxMs: 60_000 },
        retry: { baseMs: 0, capMs: 0 },
        defaultTimeoutMs: 60_000,
        retention: { completedMs: 60_000, failedMs: 60_000 },
      }),
  ],
];

const START = ["onStart begins", "onStart ends"];
const STOP = ["onStop begins", "onStop ends"];

describe.each(SERVICES)("%s", (_name, make) => {
  let service: Service;
  let calls: string[];
  beforeEach(() => {
    service = make();
    calls = [];
    const steps = service as unknown as Record<"onStart" | "onStop", () => unknown>;
    for (const step of ["onStart", "onStop"] as const) {
      const original = steps[step].bind(service);
      vi.spyOn(steps, step).mockImplementation(async () => {
        calls.push(`${step} begins`);
        await original();
        calls.push(`${step} ends`);
      });
    }
  });

  test("starts once and stops once, however often either is called", async () => {
    await Promise.all([service.start(), service.start()]);
    await service.start();
    await Promise.all([service.stop(), service.stop()]);
    await service.stop();
    await expect(service.start()).rejects.toThrow(ServiceStoppedError);
    expect(calls).toEqual([...START, ...STOP]);
  });

  test("a stop before the start is final", async () => {
    await service.stop();
    await expect(service.start()).rejects.toThrow(ServiceStoppedError);
    await service.stop();
    expect(calls).toEqual(STOP);
  });

  test("a stop during the start ends both", async () => {
    await expect(Promise.all([service.start(), service.stop()])).rejects.toThrow(ServiceStoppedError);
    await service.stop();
    expect(calls).toEqual([...START, ...STOP]);
  });
});
