import { createServer } from "node:net";
import type { Socket } from "node:net";
import postgres from "postgres";
import { afterEach, expect, test } from "vitest";
import { migrateCheckpoints } from "#checkpoint";
import { createTestDatabase } from "../../../test/database.ts";
import { checkServer } from "./check-server.ts";
import { migrate, MIGRATION_LOCK } from "./migrate.ts";

const close: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const one of close.toReversed()) await one();
  close.length = 0;
});

/** Opens an empty database, and a connection of another application to it. */
async function openEmpty() {
  const { url, drop } = await createTestDatabase("template0");
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  close.push(drop, async () => sql.end());
  return { url, sql };
}

/** Starts a TCP server that sends nothing by itself; returns its URL. */
async function listenWith(onSocket: (socket: Socket) => void): Promise<{ url: string; accepted: () => number }> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket.on("error", () => undefined));
    onSocket(socket);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  close.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  });
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return { url: `postgres://u:secret-word@127.0.0.1:${port}/db`, accepted: () => accepted };
}

const failure = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "it worked",
    (error: unknown) => String(error),
  );

const ownRows = async (sql: postgres.Sql) =>
  sql<{ hash: string; created_at: string }[]>`select hash, created_at from threadmill.migrations order by created_at`;

const hasTable = async (sql: postgres.Sql, name: string) =>
  (await sql<{ found: boolean }[]>`select to_regclass(${name}) is not null as found`)[0]?.found;

test("newer migrations of another Drizzle application hide none of ours and stay unchanged", async () => {
  const { url, sql } = await openEmpty();
  await sql`create schema drizzle`;
  await sql`create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`;
  await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('theirs', 9999999999999)`;
  await migrate({ url, also: migrateCheckpoints });
  expect(await hasTable(sql, "public.jobs")).toBe(true);
  expect(await hasTable(sql, "langgraph.checkpoints")).toBe(true);
  expect((await ownRows(sql)).map(({ hash }) => hash)).not.toContain("theirs");
  expect(await sql`select hash, created_at from drizzle.__drizzle_migrations`).toEqual([
    { hash: "theirs", created_at: "9999999999999" },
  ]);
});

test("migrations that an earlier version recorded in Drizzle's default table are not applied again", async () => {
  const { url, sql } = await openEmpty();
  await migrate({ url });
  const before = await ownRows(sql);
  await sql.begin(async (tx) => {
    await tx`create schema drizzle`;
    await tx`create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`;
    await tx`insert into drizzle.__drizzle_migrations (hash, created_at) select hash, created_at from threadmill.migrations`;
    await tx`insert into drizzle.__drizzle_migrations (hash, created_at) values ('theirs', 9999999999999)`;
    await tx`drop schema threadmill cascade`;
    await tx`insert into queues (name) values ('kept')`;
  });
  await migrate({ url });
  await migrate({ url });
  expect(await ownRows(sql)).toEqual(before);
  expect(await sql`select name from queues`).toEqual([{ name: "kept" }]);
  expect(await sql`select from drizzle.__drizzle_migrations`).toHaveLength(before.length + 1);
});

test.each([
  ["jobs", "create table jobs (id int)", "select from jobs"],
  ["job_status", "create type job_status as enum ('theirs')", "select 'theirs'::job_status"],
])("the error names another application's %s, and nothing is created beside it", async (name, create, use) => {
  const { url, sql } = await openEmpty();
  await sql.unsafe(create);
  const line = await failure(migrate({ url, setting: "DATABASE_LISTEN_URL", also: migrateCheckpoints }));
  expect(line).toMatch(
    new RegExp(`^DatabaseSetupError: DATABASE_LISTEN_URL: .*another application's "${name}".*database of its own`),
  );
  await sql.unsafe(use);
  const tables =
    await sql`select relname from pg_class where relnamespace = 'public'::regnamespace and relname <> 'jobs'`;
  expect(tables).toEqual([]);
  expect(await hasTable(sql, "langgraph.checkpoints")).toBe(false);
});

test("the error names a table of LangGraph's own saver in our schema, and the table stays unchanged", async () => {
  const { url, sql } = await openEmpty();
  await sql`create schema langgraph`;
  await sql`create table langgraph.checkpoints (thread_id text, checkpoint_ns text, checkpoint jsonb)`;
  expect(await failure(migrate({ url, also: migrateCheckpoints }))).toContain(
    `another application's "langgraph.checkpoints"`,
  );
  const columns = await sql`select column_name from information_schema.columns where table_schema = 'langgraph'`;
  expect(columns).toHaveLength(3);
});

test.each([
  ["the migration's lock", async (tx: postgres.Sql) => tx`select pg_advisory_lock(${MIGRATION_LOCK})`],
  ["a lock on a table", async (tx: postgres.Sql) => tx`lock table threadmill.migrations`],
])("migrate waits up to half of its deadline for a session that holds %s", async (_name, lock) => {
  const { url, sql } = await openEmpty();
  await migrate({ url });
  await sql.begin(async (tx) => {
    await lock(tx as unknown as postgres.Sql);
    expect(await failure(migrate({ url, deadlineMs: 6_000 }))).toContain("another session holds a lock");
  });
});

test("a migration that does not end in time is stopped on the server as well", async () => {
  const { url, sql } = await openEmpty();
  const endless = async (own: postgres.Sql) => void (await own`select pg_sleep(600)`);
  expect(await failure(migrate({ url, deadlineMs: 3_000, also: endless }))).toMatch(/did not end within 3 s/);
  const busy = async () =>
    sql`select from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()`;
  await expect.poll(busy, { timeout: 20_000 }).toEqual([]);
});

test("a connection that breaks during the migration is not replaced, because the lock went with it", async () => {
  const { url, sql } = await openEmpty();
  const cut = async (own: postgres.Sql) => {
    const [row] = await own<{ pid: number }[]>`select pg_backend_pid() as pid`;
    await sql`select pg_terminate_backend(${row?.pid ?? 0})`;
    await own`select 1`.catch(() => undefined);
    await own`create table too_late ()`;
  };
  expect(await failure(migrate({ url, also: cut }))).toContain("the connection broke during the migration");
  expect(await hasTable(sql, "public.too_late")).toBe(false);
});

test("a read-only database, such as a standby, is refused as read-only", async () => {
  const { url, sql } = await openEmpty();
  await sql.unsafe(`alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`);
  const work = [migrate({ url }), checkServer({ url, setting: "DATABASE_URL", deadlineMs: 10_000 })];
  for (const line of await Promise.all(work.map(failure)))
    expect(line).toContain(
      "DATABASE_URL: cannot use the database (25006): the server is a standby or read-only: name the primary in it",
    );
});

test.each(["", "?sslmode=require"])(
  "a proxy that closes every connection is tried once and named as such%s",
  async (query) => {
    const proxy = await listenWith((socket) => socket.on("data", () => socket.end()));
    const line = await failure(migrate({ url: `${proxy.url}${query}` }));
    expect(line).toContain("DATABASE_URL: cannot use the database (CONNECTION_CLOSED): something accepts connections");
    expect(line).not.toContain("secret-word");
    expect(proxy.accepted()).toBe(1);
  },
);

test("a server that accepts connections and stays silent is given up", async () => {
  const silent = await listenWith(() => undefined);
  const line = await failure(checkServer({ url: silent.url, setting: "DATABASE_LISTEN_URL", deadlineMs: 300 }));
  expect(line).toContain("DATABASE_LISTEN_URL: cannot use the database (NO_ANSWER): something accepts connections");
  expect(line).not.toContain("secret-word");
});

test("of several hosts, the host that answers and takes writes is migrated", async () => {
  const { url, sql } = await openEmpty();
  const silent = await listenWith(() => undefined);
  const { port, host, pathname } = new URL(url);
  const listed = url.replace(host, `127.0.0.1:${new URL(silent.url).port},127.0.0.1:${port}`);
  await migrate({ url: listed, also: migrateCheckpoints });
  expect(await hasTable(sql, "jobs")).toBe(true);
  await sql.unsafe(`alter database ${pathname.slice(1)} set default_transaction_read_only = on`);
  expect(await failure(migrate({ url: listed }))).toContain("(25006): the server is a standby or read-only");
});
