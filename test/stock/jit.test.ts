import postgres from "postgres";
import { submitTurn } from "#conversation";
import { holdsLease, LeaseLostError } from "#queue";
import { claim, completeAndClaim } from "#queue/claim";
import { enqueue } from "#queue/enqueue";
import { appendEvents } from "#queue/events";
import { heartbeat } from "#queue/fleet";
import { countJobs, getJobStatus, measureQueues, survey } from "#queue/read";
import { promote } from "#queue/ready";
import { completeMany, reap } from "#queue/settle";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FencedSaver } from "#checkpoint";
import { Database, INDEXED_PLANS } from "#db";
import { createTestDatabase } from "../database.ts";
import { input, threeNodes } from "../savers.ts";
import { startTransactionPooler } from "../transaction-pooler.ts";
import type { TransactionPooler } from "../transaction-pooler.ts";

/*
 * A server with default settings compiles plans with a high cost estimate. That takes a hundred times as long as any of
 * these statements. The server logs all plans of the test's database.
 */
const ownerId = "local";
const taking = { workerId: "w", limit: 5, leaseMs: 60_000 };
let sql: postgres.Sql;
let url: string;
let drop: () => Promise<void>;
let pooler: TransactionPooler;

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  sql = postgres(url, { max: 1, onnotice: () => undefined });
  const name = new URL(url).pathname.slice(1);
  await sql.unsafe(`
    alter database ${name} set session_preload_libraries = auto_explain;
    alter database ${name} set auto_explain.log_min_duration = 0;
    insert into queues (name) values ('default');
    insert into jobs (id, owner_id, job_type, payload, status)
      select gen_random_uuid(), 'local', 't', '{}', 'queued' from generate_series(1, 20000);
    analyze jobs`);
  pooler = await startTransactionPooler(url);
});
afterAll(async () => {
  await pooler.close();
  await sql.end();
  await drop();
});

/** The plans that the server logged during `work`, each with its statement. */
async function plansOf(work: () => Promise<unknown>): Promise<string[]> {
  const size = async () =>
    (await sql<{ size: number }[]>`select size::int from pg_stat_file('server.log')`)[0]?.size ?? 0;
  const start = await size();
  await work();
  const [row] = await sql<{ log: string }[]>`
    select pg_read_file('server.log', ${start}, ${(await size()) - start}) as log`;
  return (row?.log ?? "").split("Query Text:").slice(1);
}

const isCompiled = (plan: string) => /^\s*JIT:$/m.test(plan);

async function useHotVerbs(db: Database): Promise<void> {
  const turn = await db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "Predict churn", priority: 9 }));
  await db.transaction(async (tx) => enqueue(tx, { ownerId, jobType: "t", payload: {} }));
  await db.call(async (pool) => enqueue(pool, { ownerId, jobType: "t", payload: {} }));
  await db.call(survey);
  const first = await db.call(async (pool) => claim(pool, { ...taking, limit: 1 }));
  const [job] = first.jobs;
  if (job?.jobId !== turn.jobId) throw new Error("the turn was not claimed first");
  const saver = new FencedSaver({
    call: async (work) => db.call(work),
    fence: { holds: (on) => holdsLease(on, job), lost: () => new LeaseLostError(job.jobId, job.attempt) },
  });
  await threeNodes(saver, []).invoke(input, {
    configurable: { thread_id: job.threadId, run_id: job.jobId },
    durability: "sync",
  });
  await db.call(async (pool) =>
    appendEvents(pool, job, { events: [{ type: "token", data: "a" }], after: job.eventSeq }),
  );
  const { jobs, line } = await db.call(async (pool) => claim(pool, taking));
  await db.call(async (pool) => heartbeat(pool, jobs, 60_000));
  const ended = jobs.map((one) => ({ claim: one, result: null }));
  if (line && db.hasIndexedPlans)
    await db.call(async (pool) => completeAndClaim(pool, ended.splice(0, 2), { ...taking, line }));
  await db.call(async (pool) => claim(pool, { ...taking, line }));
  expect(await db.call(async (pool) => completeMany(pool, ended))).toEqual([]);
  expect(await db.call(async (pool) => completeMany(pool, [{ claim: job, result: null }]))).toHaveLength(1);
  await db.transaction(promote);
  await reap(db, { policyOf: () => ({ baseMs: 0, capMs: 0 }) });
  await db.call(async (pool) => countJobs(pool, ownerId));
  await db.transaction(measureQueues);
  await db.call(async (pool) => getJobStatus(pool, { ownerId, jobId: turn.jobId }));
}

test.each([
  ["directly", () => new Database({ url, avoidTableScans: true })],
  ["with the API's settings", () => new Database({ url })],
  [
    "through a transaction-mode pooler",
    () => new Database({ url: pooler.url, prepare: false, avoidTableScans: true, maxConnections: 3 }),
  ],
])("no statement of a job's life is compiled: %s", async (_name, open) => {
  const db = open();
  const plans = await plansOf(async () => {
    for (let round = 0; round < 3; round += 1) await useHotVerbs(db);
  });
  await db.close();
  expect(plans.filter(isCompiled)).toEqual([]);
  const parts = ["with recursive heads", "insert into messages", "insert into langgraph.checkpoints", '"dueMs"'];
  for (const part of [...parts, "Update on jobs"])
    expect(
      plans.some((plan) => plan.includes(part)),
      part,
    ).toBe(true);
});

test("without our settings the server compiles a claim: the other tests can fail", async (context) => {
  const [row] = await sql<{ can: boolean }[]>`
    select pg_jit_available() and current_setting('jit')::boolean as can`;
  context.skip(row?.can !== true, "this server does not compile");
  const other = postgres(url, { max: 1, connection: INDEXED_PLANS });
  const plans = await plansOf(async () => claim(other, taking));
  await other.end();
  expect(plans.some(isCompiled)).toBe(true);
});
