import { getTurn } from "#conversation";
import { expect } from "vitest";
import { Database } from "#db";
import type { JobDetail } from "#shared/contracts";
import type { JobHandler } from "#worker";
import { createTestDatabase } from "./database.ts";
import { deferred } from "./deferred.ts";
import { startWorker } from "./start-worker.ts";
import type { TestWorker, TestWorkerOptions } from "./start-worker.ts";
import { takeLeases } from "./take-leases.ts";

const OWNER_ID = "local";
const FREQUENT = { heartbeatMs: 100, poll: { minMs: 20, maxMs: 100 } };

/** Opens a database and starts workers that run chat turns on it. */
export async function openTurns() {
  const { url, drop } = await createTestDatabase();
  const db = new Database({ url });
  let running: TestWorker[] = [];
  let death = deferred();
  const releases: (() => void)[] = [];
  const options = turnOptions(db);
  const stopWorkers = async () => {
    for (const release of releases.splice(0)) release();
    await Promise.all(running.map(async (worker) => worker.stop(0)));
    running = [];
  };
  return {
    db,
    url,
    options,
    stopWorkers,
    async startWorker(handlers: readonly JobHandler[], more: Partial<TestWorkerOptions> = {}): Promise<TestWorker> {
      const worker = await startWorker({ db, url, handlers, ...FREQUENT, ...more });
      running.push(worker);
      return worker;
    },
    /** Wraps a handler so that it never settles after its work, as if its process had died there. */
    dieAtEnd(handler: JobHandler): JobHandler {
      const never = deferred();
      releases.push(never.resolve);
      death = deferred();
      return {
        ...handler,
        async run(context) {
          await handler.run(context).catch(() => undefined);
          death.resolve();
          await never.promise;
          return {};
        },
      };
    },
    died: async () => death.promise,
    takeLeases: async (): Promise<void> => takeLeases(db),
    async reaches(jobId: string, status: string): Promise<JobDetail> {
      await expect
        .poll(async () => (await getTurn(db.sql, { ownerId: OWNER_ID, jobId })).status, {
          timeout: 60_000,
          interval: 20,
        })
        .toBe(status);
      return getTurn(db.sql, { ownerId: OWNER_ID, jobId });
    },
    async clear(): Promise<void> {
      await db.sql`truncate jobs, decision_sets, queues, workers, langgraph.checkpoints, langgraph.checkpoint_blobs, langgraph.checkpoint_writes cascade`;
    },
    async close(): Promise<void> {
      await stopWorkers();
      await db.close();
      await drop();
    },
  };
}

function turnOptions(db: Database) {
  return {
    db,
    price: { model: "openai:m", input: 1, output: 2 },
  };
}
