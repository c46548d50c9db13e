import { LeaseLostError } from "#queue";
import type { Claim, Executor, Tx } from "#queue";
import { claim } from "#queue/claim";
import { enqueue, enqueueMany } from "#queue/enqueue";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Database } from "#db";
import { createTestDatabase } from "../../../test/database.ts";
import { completeWithEffects } from "./run-job.ts";

let db: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  ({ drop } = database);
  db = new Database({ url: database.url });
  await db.sql`create table effects (job_id uuid primary key, attempt int)`;
});
beforeEach(async () => {
  await db.sql`truncate jobs, queues, effects cascade`;
});
afterAll(async () => {
  await db.close();
  await drop();
});

const take = async (): Promise<Claim> => {
  const { jobs } = await claim(db.sql, { workerId: "w", limit: 1, leaseMs: 30_000 });
  if (!jobs[0]) throw new Error("nothing was claimed");
  return jobs[0];
};
const begin = async (threadId: string | null = null) => {
  await db.transaction(async (tx) => enqueue(tx, { ownerId: "local", jobType: "t", payload: {}, threadId }));
  return take();
};
let sent = 0;
const effects = async (tx: Tx, { jobId, attempt }: Claim) => {
  sent += 1;
  await tx`insert into effects values (${jobId}, ${attempt})`;
};
const write = async (of: Claim, body: typeof effects = effects) =>
  completeWithEffects(db, of, { ending: { result: "done" }, effects: body });
const written = async () => db.sql`select job_id as "jobId", attempt from effects`;
/** The jobs' statuses and holds, in submit order. */
const standing = async (sql: Executor = db.sql) =>
  (await sql<{ status: string; hold: string | null }[]>`select status, hold from jobs order by seq`).map(
    ({ status, hold }) => [status, hold],
  );

test("an attempt that lost its lease writes none of its effects, though it sends them with its completion", async () => {
  const first = await begin();
  await db.sql`update jobs set status = 'queued', worker_id = null, lease_expires_at = null`;
  const second = await take();
  sent = 0;
  await expect(write(first)).rejects.toThrow(LeaseLostError);
  expect(sent).toBe(1);
  expect(await written()).toEqual([]);
  expect(await standing()).toEqual([["running", null]]);
  await write(second);
  expect(await written()).toEqual([{ jobId: second.jobId, attempt: 2 }]);
});

test("a completion that is sent again after a lost answer is recognised, though its effects would conflict", async () => {
  const one = await begin("018f0000-0000-7000-8000-000000000001");
  await write(one);
  await write(one);
  expect(await written()).toEqual([{ jobId: one.jobId, attempt: 1 }]);
  expect(await standing()).toEqual([["completed", null]]);
});

test("an error of the effects is thrown, and the job is unchanged", async () => {
  const one = await begin();
  await expect(
    write(one, async (tx, of) => {
      await effects(tx, of);
      throw new Error("on second thoughts");
    }),
  ).rejects.toThrow("on second thoughts");
  await expect(write(one, async (tx) => void (await tx`select 1 / 0`))).rejects.toThrow("division by zero");
  expect(await written()).toEqual([]);
  expect(await standing()).toEqual([["running", null]]);
});

test("effects find the job completed, and the next of its thread ready", async () => {
  const threadId = "018f0000-0000-7000-8000-000000000002";
  const one = await begin(threadId);
  await db.transaction(async (tx) => enqueue(tx, { ownerId: "local", jobType: "t", payload: {}, threadId }));
  let seen: unknown;
  await write(one, async (tx) => {
    seen = await standing(tx);
  });
  expect(seen).toEqual([
    ["completed", null],
    ["queued", null],
  ]);
});

test("a completion readies the next job of its thread only the first time that it is sent", async () => {
  const threadId = "018f0000-0000-7000-8000-000000000003";
  const one = await begin(threadId);
  const job = { ownerId: "local", jobType: "t", payload: {}, threadId };
  await db.transaction(async (tx) => enqueueMany(tx, [job, job]));
  await write(one);
  await take();
  await write(one);
  expect(await standing()).toEqual([
    ["completed", null],
    ["running", null],
    ["queued", "thread"],
  ]);
});
