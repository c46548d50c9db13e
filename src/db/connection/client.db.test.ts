import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startCuttableProxy } from "../../../test/cuttable-proxy.ts";
import { createTestDatabase } from "../../../test/database.ts";
import { startTransactionPooler } from "../../../test/transaction-pooler.ts";
import { Database } from "./client.ts";
import type { DatabaseOptions } from "./client.ts";
import { DatabaseUnavailableError, QueryTimeoutError } from "../errors.ts";

let url: string;
let drop: () => Promise<void>;
/** Observes the other connections. */
let watcher: Database;
const open: (() => Promise<void>)[] = [];

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  watcher = new Database({ url, maxConnections: 1 });
});
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});
afterAll(async () => {
  await watcher.close();
  await drop();
});

const openDatabase = (options: Partial<DatabaseOptions> = {}) => {
  const db = new Database({ url, ...options });
  open.push(async () => db.close());
  return db;
};
const countRunning = async (text: string) => {
  const [row] = await watcher.sql<{ count: number }[]>`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and state = 'active' and pid <> pg_backend_pid() and query like ${`%${text}%`}`;
  return row?.count;
};

test("the server stops a statement that would miss the deadline, and the same pool keeps answering others", async () => {
  const db = openDatabase({ deadlineMs: 5_000 });
  const pool = db.sql;
  const slow = db.call(async (sql) => sql`select pg_sleep(60)`).catch((error: unknown) => error);
  await expect.poll(async () => countRunning("pg_sleep(60)")).toBe(1);
  for (let call = 0; call < 20; call += 1) await db.call(async (sql) => sql`select 1`);
  expect(await slow).toBeInstanceOf(QueryTimeoutError);
  expect(await countRunning("pg_sleep(60)")).toBe(0);
  expect(db.sql).toBe(pool);
});

test.each<[string, (db: Database) => Promise<unknown>]>([
  ["slow read", async (db) => db.read(async (sql) => sql`select pg_sleep(60)`)],
  ["transaction", async (db) => db.transaction(async (tx) => tx`select pg_sleep(60)`)],
])("behind a pooler, too, the server stops a %s", async (_name, run) => {
  const pooler = await startTransactionPooler(url);
  open.push(async () => pooler.close());
  const db = openDatabase({ url: pooler.url, prepare: false, deadlineMs: 5_000, maxConnections: 1 });
  await expect(run(db)).rejects.toThrow(QueryTimeoutError);
  expect(await countRunning("pg_sleep(60)")).toBe(0);
  // The pooler's connection has its former settings.
  const [row] = await db.call(async (sql) => sql`select current_setting('statement_timeout') as limit`);
  expect(row).toEqual({ limit: "0" });
});

test("a transaction with its own deadline has a matching statement timeout", async () => {
  const db = openDatabase({ deadlineMs: 1_000 });
  const limit = async (deadlineMs?: number) => {
    const [row] = await db.transaction(
      async (tx) => tx`select current_setting('statement_timeout') as limit`,
      deadlineMs,
    );
    return row?.["limit"] as unknown;
  };
  expect([await limit(), await limit(20_000), await limit()]).toEqual(["800ms", "16s", "800ms"]);
});

const forever = async (): Promise<never> => new Promise(() => undefined);

test("a call that misses its deadline keeps a pool that answers others, until twice the deadline", async () => {
  const db = openDatabase({ deadlineMs: 300 });
  await db.call(async (sql) => sql`select 1`);
  const pool = db.sql;
  const overdue = db.call(forever).catch((error: unknown) => error);
  await db.call(async (sql) => sql`select 1`);
  expect(await overdue).toBeInstanceOf(QueryTimeoutError);
  expect(db.sql).toBe(pool);
  await expect.poll(() => db.sql !== pool).toBe(true);
});

test("a pool that answers no call is replaced when the first call misses its deadline", async () => {
  const proxy = await startCuttableProxy(url);
  open.push(async () => proxy.close());
  const db = openDatabase({ url: proxy.url, deadlineMs: 500 });
  await db.transaction(async (tx) => tx`select 1`, 10_000);
  const pool = db.sql;
  proxy.blackHole();
  const fault = await db.call(async (sql) => sql`select 1`).catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(DatabaseUnavailableError);
  expect(fault).not.toBeInstanceOf(QueryTimeoutError);
  expect(db.sql).not.toBe(pool);
  await proxy.restore();
  await expect
    .poll(async () =>
      db
        .call(async (sql) => sql`select 1`)
        .then(
          () => true,
          () => false,
        ),
    )
    .toBe(true);
});

test.each([
  ["53100", "DISK_FULL", "no space left"],
  ["53200", "NO_MEMORY", "no memory left"],
  ["53400", "AT_LIMIT", "one of its limits"],
  ["58030", "SYSTEM_ERROR", "could not read or write"],
])("SQLSTATE %s is reported as %s after four tries and keeps the pool", async (code, fault, text) => {
  const db = openDatabase();
  const pool = db.sql;
  let tries = 0;
  const failing = db.call(async (sql) => {
    tries += 1;
    return sql.unsafe(`do $$ begin raise exception 'secret' using errcode = '${code}'; end $$`);
  });
  await expect(failing).rejects.toMatchObject({
    name: "DatabaseUnavailableError",
    fault,
    message: expect.stringContaining(text) as string,
  });
  await expect(failing).rejects.toThrow(/^(?!.*secret)/);
  expect(tries).toBe(4);
  expect(db.sql).toBe(pool);
});

test("a server without a free connection is reported as NO_CONNECTION and keeps the pool", async () => {
  const role = `limited_${process.pid}`;
  await watcher.sql.unsafe(`create role ${role} login password 'x' connection limit 0`);
  open.push(async () => void (await watcher.sql.unsafe(`drop role ${role}`)));
  const limited = new URL(url);
  [limited.username, limited.password] = [role, "x"];
  const db = openDatabase({ url: limited.href });
  const pool = db.sql;
  const call = async () => db.call(async (sql) => sql<{ one: number }[]>`select 1 as one`);
  await expect(call()).rejects.toMatchObject({ name: "DatabaseUnavailableError", fault: "NO_CONNECTION" });
  expect(db.sql).toBe(pool);
  await watcher.sql.unsafe(`alter role ${role} connection limit 5`);
  expect(await call()).toEqual([{ one: 1 }]);
});

test("a pool of slow reads runs more transactions than it has connections, one after another", async () => {
  const db = openDatabase({ hasSlowReads: true, maxConnections: 2, deadlineMs: 20_000 });
  const sums = Array.from({ length: 6 }, async (_, n) =>
    db.transaction(async (tx) => (await tx<{ sum: number }[]>`select ${n}::int + 1 as sum`)[0]?.sum),
  );
  expect(await Promise.all(sums)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("in a pool of slow reads no statement waits behind a slow one", async () => {
  const db = openDatabase({ hasSlowReads: true, maxConnections: 2, deadlineMs: 20_000 });
  // The driver treats a new connection as free until its first statement, so each is used once.
  await Promise.all([1, 2].map(async () => db.call(async (sql) => sql`select 1`)));
  await watcher.sql`select pg_advisory_lock(77)`;
  const held = db.call(async (sql) => sql`select pg_advisory_lock_shared(77)`);
  try {
    await expect.poll(async () => countRunning("pg_advisory_lock_shared")).toBe(1);
    const many = Array.from({ length: 8 }, async () => db.call(async (sql) => sql`select 1`));
    expect(await Promise.all(many)).toHaveLength(8);
  } finally {
    await watcher.sql`select pg_advisory_unlock_all()`;
  }
  await held;
});
