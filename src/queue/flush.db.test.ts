import { Database, DatabaseUnavailableError, migrate, newId, startEmbeddedPostgres } from "#db";
import type { EmbeddedPostgres } from "#db";
import { claim } from "./claim/claim.ts";
import { completeAndClaim } from "./claim/complete-and-claim.ts";
import { enqueueMany } from "./enqueue/enqueue-many.ts";
import { enqueue } from "./enqueue/enqueue.ts";
import { flushClaims, flushStored } from "./flush.ts";
import { createQueue } from "./operate/queue-limits.ts";
import { getJob } from "./read/get-job.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import postgres from "postgres";

const ownerId = "local";
const taking = { workerId: "w", limit: 1, leaseMs: 30_000 };
const dataDir = mkdtempSync(join(tmpdir(), "threadmill-flush-"));
let server: EmbeddedPostgres;
let db: Database;

beforeAll(async () => {
  server = await startEmbeddedPostgres({ dataDir });
  await migrate({ url: server.url });
  db = new Database({ url: server.url });
  await createQueue(db.sql, "default");
});
afterAll(async () => {
  await db.close();
  await server.stop(0);
  rmSync(dataDir, { recursive: true, force: true });
});

interface Writer {
  pid: number;
  /** Whether it waits for work, so that it holds no lock. */
  idle: boolean;
}

const readWriter = async () =>
  db.call(async (sql) => {
    const rows = await sql<Writer[]>`
      select pid, coalesce(wait_event = 'WalWriterMain', false) as idle from pg_stat_activity where backend_type = 'walwriter'`;
    return rows[0] ?? { pid: 0, idle: false };
  });

/** Stops the WAL writer, so that only explicit flushes reach the disk. Returns a function that crashes the server. */
async function stopWriter(): Promise<() => Promise<void>> {
  const { pid } = await readWriter();
  expect(pid).toBeGreaterThan(1);
  const isStopped = async () => {
    process.kill(pid, "SIGSTOP");
    const { idle } = await readWriter();
    if (!idle) process.kill(pid, "SIGCONT");
    return idle;
  };
  await expect.poll(isStopped, { timeout: 30_000, interval: 20 }).toBe(true);
  return async () => {
    process.kill(pid, "SIGKILL");
    const isBack = async () => ![0, pid].includes((await readWriter().catch(() => ({ pid: 0 }))).pid);
    await expect.poll(isBack, { timeout: 30_000, interval: 50 }).toBe(true);
  };
}

test("a job stored by itself wakes the workers before its flush, and is on the disk when its submitter is answered", async () => {
  const crash = await stopWriter();
  const statements: string[] = [];
  const sql = postgres(server.url, { max: 1, debug: (_connection, text) => statements.push(text) });
  const { jobId } = await enqueue(sql, { ownerId, jobType: "t", payload: {}, priority: -1 });
  await sql.end();
  expect(statements.filter((text) => text.includes("insert into jobs"))).toEqual([
    expect.stringContaining("set_config('synchronous_commit', 'off', true)"),
  ]);
  await crash();
  expect(await db.call(async (pool) => getJob(pool, { ownerId, jobId }))).toMatchObject({ status: "queued" });
  await db.sql`delete from jobs`;
}, 90_000);

test("flushStored throws DatabaseUnavailableError when the database has lost the job", async () => {
  await expect(flushStored(db.sql, newId())).rejects.toThrow(DatabaseUnavailableError);
});

test("a crash of the database keeps acknowledged jobs and flushed claims, and forgets a claim that was not flushed", async () => {
  const add = async () =>
    db.transaction(async (tx) =>
      enqueueMany(
        tx,
        Array.from({ length: 3 }, () => ({ ownerId, jobType: "t", payload: {} })),
      ),
    );
  const added = await add();
  const read = async () =>
    Promise.all(
      added.map(async ({ jobId }) => {
        const { status, attempt } = await db.call(async (sql) => getJob(sql, { ownerId, jobId }));
        return `${status} ${attempt}`;
      }),
    );
  // The first claim looks at all lines, the next ones at the line of the first.
  const first = await claim(db.sql, taking);
  expect(first).toMatchObject({ unflushed: true, jobs: [{ jobId: added[0]?.jobId }] });
  await flushClaims(db.sql);

  let crash = await stopWriter();
  const second = await claim(db.sql, { ...taking, line: first.line });
  expect(second).toMatchObject({ unflushed: true, jobs: [{ jobId: added[1]?.jobId, attempt: 1 }] });
  await crash();
  expect(await read()).toEqual(["running 1", "queued 0", "queued 0"]);

  crash = await stopWriter();
  const again = await claim(db.sql, { ...taking, line: first.line });
  expect(again.jobs).toMatchObject([{ jobId: added[1]?.jobId, attempt: 1 }]);
  await flushClaims(db.sql);
  await crash();
  expect(await read()).toEqual(["running 1", "running 1", "queued 0"]);

  crash = await stopWriter();
  const ended = first.jobs.map((job) => ({ claim: job, result: null }));
  const both = await completeAndClaim(db.sql, ended, { ...taking, line: again.line! });
  expect(both).toMatchObject({ unflushed: false, left: [], jobs: [{ jobId: added[2]?.jobId }] });
  await crash();
  expect(await read()).toEqual(["completed 1", "running 1", "running 1"]);
}, 90_000);
