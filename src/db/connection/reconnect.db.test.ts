import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startCuttableProxy } from "../../../test/cuttable-proxy.ts";
import { createTestDatabase } from "../../../test/database.ts";
import { deferred } from "../../../test/deferred.ts";
import { startRefusingServer } from "../../../test/refusing-server.ts";
import { chooseServer } from "../migrate/choose-server.ts";
import { Database } from "./client.ts";
import { startEmbeddedPostgres } from "../embedded/embedded.ts";
import { DatabaseUnavailableError } from "../errors.ts";
import { Listener } from "../notices/listener.ts";

let url: URL;
let drop: () => Promise<void>;
const open: (() => Promise<void>)[] = [];

beforeAll(async () => {
  const created = await createTestDatabase();
  url = new URL(created.url);
  drop = created.drop;
});
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});
afterAll(async () => drop());

const refuse = async (manner: Parameters<typeof startRefusingServer>[0]) => {
  const server = await startRefusingServer(manner);
  open.push(async () => server.close());
  return server;
};
const openDatabase = (databaseUrl: string, deadlineMs = 5_000) => {
  const db = new Database({ url: databaseUrl, deadlineMs });
  open.push(async () => db.close());
  return db;
};
/** The test database's URL with other hosts. */
const withHosts = (...hosts: string[]) => url.href.replace(url.host, hosts.join(","));
const readPort = async (db: Database) => {
  const [row] = await db.call(async (sql) => sql<{ port: string }[]>`select current_setting('port') as port`);
  return row?.port;
};

const ROUNDS = 4;
const CALLS = 100;
const POOL_SIZE = 10;

test("calls to a server that accepts and closes fail at once and share their attempts to connect", async () => {
  const server = await refuse("closes");
  const db = openDatabase(withHosts(`127.0.0.1:${server.port}`), 60_000);
  for (let round = 0; round < ROUNDS; round += 1) {
    const calls = Array.from({ length: CALLS }, async () => db.call(async (sql) => sql`select 1`));
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(DatabaseUnavailableError) as unknown });
  }
  // In the first round each connection of the pool meets the fault; each later round makes one shared attempt.
  expect(server.connections()).toBeGreaterThanOrEqual(ROUNDS);
  expect(server.connections()).toBeLessThanOrEqual(2 * POOL_SIZE + ROUNDS);
});

test("each round of calls makes one attempt to connect to each server of a list", async () => {
  const servers = [await refuse("closes"), await refuse("closes")];
  const db = openDatabase(withHosts(...servers.map(({ port }) => `127.0.0.1:${port}`)));
  for (let round = 0; round < ROUNDS; round += 1)
    await Promise.allSettled(Array.from({ length: CALLS }, async () => db.call(async (sql) => sql`select 1`)));
  for (const server of servers) expect(server.connections()).toBe(ROUNDS);
});

test("a listener spaces its attempts to connect to a server that accepts and closes", async () => {
  const server = await refuse("closes");
  const heard: unknown[] = [];
  const startedAt = performance.now();
  const listener = new Listener({ url: withHosts(`127.0.0.1:${server.port}`), channels: { c: () => heard.push(1) } });
  await listener.start();
  open.push(async () => listener.stop());
  await expect.poll(() => server.connections()).toBeGreaterThanOrEqual(5);
  // One at once, one after the first failure, then after at least 25, 50, 100 ms.
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(175);
  expect(heard).toEqual([]);
});

test.each(["closes", "is silent"] as const)(
  "a first host that accepts and then %s does not stop the others",
  async (manner) => {
    const dead = await refuse(manner);
    const list = withHosts(`127.0.0.1:${dead.port}`, url.host);
    const db = openDatabase(list);
    expect(await readPort(db)).toBe(url.port);
    // Later calls go to the second host at once.
    for (let call = 0; call < 5; call += 1) await readPort(db);
    expect(dead.connections()).toBe(1);
    const heard = deferred();
    const listener = new Listener({ url: list, channels: { c: () => heard.resolve() } });
    open.push(async () => listener.stop());
    await listener.start();
    await heard.promise;
  },
);

/** The limited broadcast address: no TCP connection has a route to it. */
const NO_ROUTE = "255.255.255.255:5432";

test("an address without a route rejects the call and does not block the other hosts", async () => {
  const uncaught: unknown[] = [];
  const note = (error: unknown) => void uncaught.push(error);
  process.on("uncaughtException", note);
  try {
    const alone = openDatabase(withHosts(NO_ROUTE));
    for (let call = 0; call < 3; call += 1)
      await expect(readPort(alone)).rejects.toMatchObject({
        message: expect.stringContaining("ENETUNREACH") as string,
      });
    expect(await readPort(openDatabase(withHosts(NO_ROUTE, url.host)))).toBe(url.port);
    expect(uncaught).toEqual([]);
  } finally {
    process.off("uncaughtException", note);
  }
});

test("when the present host goes away, calls go to the next host of the list", async () => {
  const proxy = await startCuttableProxy(url.href);
  open.push(async () => proxy.close());
  const db = openDatabase(withHosts(new URL(proxy.url).host, url.host));
  await readPort(db);
  await proxy.cut();
  // The call that meets the fault may fail, because it may have committed.
  await readPort(db).catch(() => undefined);
  expect(await readPort(db)).toBe(url.port);
});

test("a server that refuses writes is skipped unless target_session_attrs is any", async () => {
  const folders = ["one", "two"].map(() => mkdtempSync(join(tmpdir(), "threadmill-hosts-")));
  open.push(async () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
  const servers = [];
  for (const dataDir of folders) {
    const server = await startEmbeddedPostgres({ dataDir });
    open.push(async () => server.stop(0));
    servers.push(server);
  }
  const [readOnly, other] = servers.map((server) => new URL(server.url)) as [URL, URL];
  const admin = new Database({ url: readOnly.href, maxConnections: 1 });
  await admin.sql.unsafe(`alter role postgres password '${other.password}'`);
  await admin.sql`alter system set default_transaction_read_only = on`;
  await admin.sql`select pg_reload_conf()`;
  await admin.close();
  readOnly.password = other.password;
  const list = readOnly.href.replace(readOnly.host, `${readOnly.host},${other.host}`);
  expect(await readPort(openDatabase(list))).toBe(other.port);
  expect(await chooseServer(list)).toBe(other.href);
  expect(await chooseServer(`${readOnly.href}?a=b`)).toBe(`${readOnly.href}?a=b`);
  expect(await readPort(openDatabase(`${list}?target_session_attrs=any`))).toBe(readOnly.port);
  await expect(readPort(openDatabase(`${readOnly.href}?target_session_attrs=read-write`))).rejects.toMatchObject({
    fault: "READ_ONLY",
  });
});
