import { enqueueMany } from "#queue/enqueue";
import { createQueue } from "#queue/operate";
import { setTimeout as wait } from "node:timers/promises";
import { hostname } from "node:os";
import { pino } from "pino";
import { z } from "zod";
import { Database } from "#db";
import { defineJob, Worker } from "#worker";
import { readSettings, serve } from "./serve.ts";

/* A process that runs jobs which emit events on request, like a graph in a worker. */
const TOKEN_EVERY_MS = 10;
const TEXT = " word";
const now = () => performance.timeOrigin + performance.now();

const { url, jobs } = readSettings() as { url: string; jobs: number };
const db = new Database({ url, maxConnections: 12, avoidTableScans: true, applicationName: "threadmill-worker" });
const emits = new Map<string, (type: string, data: unknown) => void>();
let end: () => void = () => undefined;
const over = new Promise<void>((resolve) => {
  end = resolve;
});
const emitter = defineJob({
  type: "emitter",
  payload: z.unknown(),
  async run({ job, emit }) {
    emits.set(job.jobId, emit);
    await over;
  },
});
const worker = new Worker({
  db,
  connection: { url, prepare: true },
  log: pino({ level: "silent" }),
  handlers: [emitter],
  identity: { workerId: `bench-${process.pid}`, host: hostname(), pid: process.pid, version: "bench" },
  concurrency: jobs,
  leaseMs: 30_000,
  heartbeatMs: 10_000,
  poll: { minMs: 20, maxMs: 200 },
  retry: { baseMs: 1_000, capMs: 600_000 },
  defaultTimeoutMs: 1_800_000,
  retention: { completedMs: 2_592_000_000, failedMs: 7_776_000_000 },
});

serve(
  {
    /** Resolves with the ids of the jobs once all of them run. */
    async start() {
      await createQueue(db.sql, "default");
      const job = { ownerId: "local", jobType: emitter.type, payload: {} };
      await db.transaction(async (tx) =>
        enqueueMany(
          tx,
          Array.from({ length: jobs }, () => job),
        ),
      );
      await worker.start();
      while (emits.size < jobs) await wait(20);
      return [...emits.keys()];
    },
    /** Emits one event that carries its time. */
    emitTimed(jobId: string) {
      emits.get(jobId)?.("note", { at: now() });
    },
    /** Every job emits `tokens` tokens at the pace of a fast model; returns the characters of each job. */
    async emitTokens(tokens: number) {
      const start = now();
      for (let count = 0; count < tokens; count += 1) {
        for (const emit of emits.values()) emit("token", { text: TEXT });
        await wait(Math.max(0, start + (count + 1) * TOKEN_EVERY_MS - now()));
      }
      return tokens * TEXT.length;
    },
  },
  async () => {
    end();
    await worker.stop(5_000);
    await db.close();
  },
);
