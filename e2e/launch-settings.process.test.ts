import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startEmbeddedPostgres } from "#db";
import type { EmbeddedPostgres } from "#db";
import { build, descendants, endAll, freePort, makeFolder, run } from "./start-process.ts";
import type { Command } from "./start-process.ts";

let external: EmbeddedPostgres;
let sql: postgres.Sql;

beforeAll(async () => {
  await build();
  external = await startEmbeddedPostgres({ dataDir: makeFolder() });
  sql = postgres(external.url, { max: 1, onnotice: () => undefined });
});
afterEach(async () => endAll({ keepFolders: true }));
afterAll(async () => {
  await sql.end();
  await external.stop();
  await endAll();
});

/** Creates an empty database on the external server, and returns its URL. */
async function newDatabase(): Promise<string> {
  const name = `other_${Math.random().toString(36).slice(2)}`;
  await sql.unsafe(`create database ${name}`);
  return withPath(name);
}

function withPath(name: string): string {
  const url = new URL(external.url);
  url.pathname = `/${name}`;
  return url.href;
}

/** Runs a command that must fail with an error code and one line on stderr. Returns this line. */
async function refusal(command: Command, settings: Record<string, string>): Promise<string> {
  const one = run(command, settings);
  const { code } = await one.ended;
  await one.silent;
  expect(code).toBeGreaterThan(0);
  expect(one.stdout()).toBe("");
  expect(one.stderr()).toMatch(/^[^\n]+\n$/);
  return one.stderr();
}

test("the error names a port in use before any process starts", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => {
    holder.once("listening", done);
  });
  const address = holder.address();
  const port = address !== null && typeof address === "object" ? String(address.port) : "";
  const dataDir = join(makeFolder(), "data");
  const line = await refusal("start", { PORT: port, DATA_DIR: dataDir });
  expect(line).toContain(
    `PORT ${port} on 127.0.0.1 is in use: stop the process that uses it, or set PORT to a free port`,
  );
  expect(existsSync(dataDir)).toBe(false);
  holder.close();
});

test("the error names an invalid variable and its valid values", async () => {
  expect(await refusal("start", { PORT: "eighty" })).toContain("PORT must be a whole number from 1 to 65535");
  expect(await refusal("start", { DATABASE_LISTEN_URL: "postgres://h/d" })).toContain("set without DATABASE_URL");
});

test("the error gives the reason for an unusable database and never its password", async () => {
  const wrong = new URL(external.url);
  wrong.password = "not-the-password";
  const PORT = await freePort();
  const away = `postgres://u:secret-word@127.0.0.1:${await freePort()}/db`;
  const lineOf = async (DATABASE_URL: string) => refusal("start", { PORT, DATABASE_URL });
  const lines = await Promise.all([away, wrong.href, withPath("no_such_database")].map(lineOf));
  expect(lines[0]).toContain("DATABASE_URL: cannot use the database (ECONNREFUSED): nothing answers there");
  expect(lines[1]).toContain("DATABASE_URL: cannot use the database (28P01): the server refuses the password");
  expect(lines[2]).toContain("DATABASE_URL: cannot use the database (3D000): the server has no such database");
  expect(lines.join("")).not.toMatch(/secret-word|not-the-password/);
});

test("migrate fails with the reason when the server is not a PostgreSQL", async () => {
  const sockets: Socket[] = [];
  const serve = async (onSocket: (socket: Socket) => unknown) => {
    const server = createServer((socket) => onSocket(socket.on("error", () => undefined)));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    return { server, DATABASE_URL: `postgres://u:secret-word@127.0.0.1:${port}/db` };
  };
  const closing = await serve((socket) => socket.resume().end());
  const silent = await serve((socket) => sockets.push(socket));
  const lineOf = async ({ DATABASE_URL }: { DATABASE_URL: string }) => refusal("migrate", { DATABASE_URL });
  const lines = await Promise.all([closing, silent].map(lineOf));
  expect(lines[0]).toContain(
    "DATABASE_URL: cannot use the database (CONNECTION_CLOSED): something accepts connections",
  );
  expect(lines[1]).toContain("DATABASE_URL: cannot use the database (NO_ANSWER): something accepts connections");
  expect(lines.join("")).not.toContain("secret-word");
  for (const socket of sockets) socket.destroy();
  for (const { server } of [closing, silent]) server.close();
});

test("the error names an unusable DATA_DIR and the reason", async () => {
  const PORT = await freePort();
  const lineOf = async (DATA_DIR: string) => refusal("start", { PORT, DATA_DIR });
  const file = join(makeFolder(), "file");
  writeFileSync(file, "");
  expect(await lineOf(file)).toContain(`DATA_DIR: ${file} is not a folder`);

  const newer = makeFolder();
  mkdirSync(join(newer, "postgres"));
  writeFileSync(join(newer, "postgres/PG_VERSION"), "99\n");
  expect(await lineOf(newer)).toMatch(/holds data of PostgreSQL 99, but the embedded one is 1[0-9]: set DATA_DIR/);

  const foreign = makeFolder();
  mkdirSync(join(foreign, "postgres"));
  writeFileSync(join(foreign, "postgres/letter.txt"), "");
  expect(await lineOf(foreign)).toContain("holds files that are not PostgreSQL's: set DATA_DIR to another folder");
});

test.skipIf(process.getuid?.() === 0)("the error names a DATA_DIR that this user cannot write", async () => {
  const dataDir = makeFolder();
  chmodSync(dataDir, 0o500);
  expect(await refusal("start", { PORT: await freePort(), DATA_DIR: dataDir })).toContain("cannot be written");
});

test("DATABASE_URL replaces the embedded server, also for a separate server and worker", async () => {
  const DATABASE_URL = await newDatabase();
  const settings = { PORT: await freePort(), DATABASE_URL, DATA_DIR: join(makeFolder(), "data") };
  const one = run("start", settings);
  await one.says(/Threadmill ready at /);
  expect(descendants(one.pid).map(({ args }) => args)).toEqual([
    expect.stringContaining("server/main.js"),
    expect.stringContaining("worker/main.js"),
  ]);
  expect(existsSync(settings.DATA_DIR)).toBe(false);
  one.signal("SIGTERM");
  expect(await one.ended).toEqual({ code: 0, signal: null });

  const [server, worker] = [run("server", settings), run("worker", settings)];
  await Promise.all([server.says(/Server listening at/), worker.says(/"msg":"worker ready"/)]);
  const response = await fetch(`http://127.0.0.1:${settings.PORT}/api/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: "Plan a shop" }] }),
  });
  expect(await response.json()).toMatchObject({ messages: [{ role: "user" }, { role: "assistant" }] });
  for (const alone of [server, worker]) {
    alone.signal("SIGTERM");
    expect(await alone.ended).toEqual({ code: 0, signal: null });
  }
});

test("server, worker and migrate require DATABASE_URL", async () => {
  for (const command of ["server", "worker", "migrate"] as const)
    expect(await refusal(command, {})).toContain("DATABASE_URL must be set");
});

test("migrate may run concurrently and repeatedly", async () => {
  const DATABASE_URL = await newDatabase();
  const both = [run("migrate", { DATABASE_URL }), run("migrate", { DATABASE_URL })];
  for (const one of both) expect(await one.ended, one.stderr()).toEqual({ code: 0, signal: null });
  const own = postgres(DATABASE_URL, { max: 1 });
  const applied = async () => own`select hash from threadmill.migrations order by id`;
  const first = await applied();
  expect(new Set(first.map(({ hash }) => hash as string)).size).toBe(first.length);
  expect(first.length).toBeGreaterThan(0);
  const again = run("migrate", { DATABASE_URL });
  expect(await again.ended).toEqual({ code: 0, signal: null });
  expect(await applied()).toEqual(first);
  expect(await own`select count(*) from jobs`).toHaveLength(1);
  await own.end();
});
