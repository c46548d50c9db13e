import { submitTurn, cancelTurn, getTurn } from "#conversation";
import type { NewJob } from "#queue";
import { enqueueMany } from "#queue/enqueue";
import { createQueue, setQueueLimits } from "#queue/operate";
import { listJobs } from "#queue/read";
import { saveSchedule } from "#queue/schedules";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { Database } from "#db";
import { createTestDatabase } from "../../test/database.ts";
import { startWorker } from "../../test/start-worker.ts";
import { startTransactionPooler } from "../../test/transaction-pooler.ts";
import type { TransactionPooler } from "../../test/transaction-pooler.ts";
import { defineJob } from "./define-job.ts";
import { mlWorkflow } from "./jobs/ml-workflow.ts";

let pooler: TransactionPooler;
let db: Database;
let drop: () => Promise<void>;
const ownerId = "local";

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  pooler = await startTransactionPooler(created.url);
  db = new Database({ url: pooler.url, prepare: false, avoidTableScans: true });
});
afterAll(async () => {
  await db.close();
  await pooler.close();
  await drop();
});

const read = async (jobId: string) => db.call(async (sql) => getTurn(sql, { ownerId, jobId }));

test("through a transaction-mode pooler everything works except LISTEN, which polling replaces", async () => {
  await db.call(async (sql) => createQueue(sql, "limited"));
  await db.transaction(async (tx) => setQueueLimits(tx, "limited", { concurrency: 2, perKey: { concurrency: 1 } }));
  const handler = defineJob({
    type: "t",
    payload: z.object({ failures: z.number().default(0), endless: z.boolean().default(false) }),
    async run({ job, payload, progress, signal }) {
      progress("working");
      if (payload.endless) await new Promise((_resolve, reject) => signal.addEventListener("abort", reject));
      if (job.retryCount < payload.failures) throw new Error("once more");
      return { effects: async (tx) => void (await tx`select 1`) };
    },
  });
  const chat = mlWorkflow({
    db,
    price: null,
    model: null,
  });
  const worker = await startWorker({
    db,
    url: pooler.url,
    prepare: false,
    listens: false,
    handlers: [handler, chat],
    leaseMs: 5_000,
    heartbeatMs: 200,
    poll: { minMs: 20, maxMs: 100 },
  });
  const threadId = "018f0000-0000-7000-8000-00000000000a";
  const [first, ...others] = await db.transaction(async (tx) =>
    enqueueMany(
      tx,
      [
        {},
        { payload: { failures: 2 } },
        { threadId },
        { threadId },
        { delayMs: 200 },
        { queue: "limited", limitKey: "k" },
        { queue: "limited", limitKey: "k" },
        { queue: "limited" },
        { idempotencyKey: "k" },
        { idempotencyKey: "k" },
      ].map((job): NewJob => ({ ownerId, jobType: "t", payload: {}, ...job })),
    ),
  );
  await db.transaction(async (tx) => {
    await enqueueMany(tx, [
      { ownerId, jobType: "t", payload: {}, after: [first?.jobId ?? ""], idempotencyKey: "after" },
    ]);
    return saveSchedule(tx, { ownerId, name: "s", cron: "* * * * * *", jobType: "t", payload: {} });
  });
  const { jobId: turn } = await db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "Predict churn" }));
  const [endless] = await db.transaction(async (tx) =>
    enqueueMany(tx, [{ ownerId, jobType: "t", payload: { endless: true } }]),
  );
  for (const { jobId } of [...others, { jobId: turn }])
    await expect.poll(async () => (await read(jobId)).status, { timeout: 20_000 }).toBe("completed");
  expect((await read(turn)).reply).toContain("churn");
  const count = async () =>
    (await db.call(async (sql) => sql`select 1 from jobs where schedule_id is not null and status = 'completed'`))
      .length;
  await expect.poll(count, { timeout: 10_000 }).toBeGreaterThan(1);
  const endlessId = endless?.jobId ?? "";
  await expect.poll(async () => (await read(endlessId)).status).toBe("running");
  await db.transaction(async (tx) => cancelTurn(tx, { ownerId, jobId: endlessId }));
  await expect.poll(async () => (await read(endlessId)).status, { timeout: 5_000 }).toBe("cancelled");
  await worker.stop();
  const unsettled = await db.call(async (sql) => sql`select 1 from jobs where status = 'running'`);
  expect(unsettled).toHaveLength(0);
  expect(worker.lines.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
  expect(pooler.switches()).toBeGreaterThan(50);
});

test("each statement of one client connection may run on another server connection", async () => {
  const one = new Database({ url: pooler.url, prepare: false, maxConnections: 1 });
  const pids = new Set<number | undefined>();
  for (let round = 0; round < 5; round += 1)
    pids.add((await one.sql<{ pid: number }[]>`select pg_backend_pid() as pid`)[0]?.pid);
  expect(pids.size).toBeGreaterThan(1);
  await one.close();
});

test("slow reads through a pooler answer, and have a statement timeout", async () => {
  const slow = new Database({ url: pooler.url, prepare: false, maxConnections: 2, hasSlowReads: true });
  const { jobs } = await slow.read(async (sql) => listJobs(sql, { ownerId, search: "t" }));
  expect(jobs.length).toBeGreaterThan(0);
  const [limit] = await slow.read(async (sql) => sql`show statement_timeout`);
  expect(limit).toEqual({ statement_timeout: "4s" });
  await slow.close();
});
