import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Database } from "#db";
import { createTestDatabase } from "../../../test/database.ts";
import { buildApp } from "../app.ts";

const SECRET = "hunter2-secret";
let url: string;
let drop: () => Promise<void>;
let db: Database;
const open: (() => Promise<void>)[] = [];

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  db = new Database({ url });
});
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});
afterAll(async () => {
  await db.close();
  await drop();
});

/** Opens an API with a new pool, and records its log lines. */
async function openLoggedApp(databaseUrl = url) {
  const own = new Database({ url: databaseUrl });
  const lines: string[] = [];
  const app = await buildApp({ db: own, logLevel: "warn", logTo: { write: (line) => void lines.push(line) } });
  open.push(async () => {
    await app.close();
    await own.close();
  });
  return { app, lines, logged: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
const submit = async (app: FastifyInstance) =>
  app.inject({ method: "POST", url: "/api/trpc/chat.submit", payload: { content: "hello" } });
const submitRest = async (app: FastifyInstance) =>
  app.inject({ method: "POST", url: "/api/chat/async", payload: { messages: [{ role: "user", content: "hello" }] } });

/** Makes every write to `jobs` fail with this SQLSTATE. */
async function failWrites(code: string): Promise<void> {
  await db.sql.unsafe(`
    create or replace function lack() returns trigger language plpgsql as $$ begin
      raise exception 'for postgres://u:${SECRET}@h/d' using errcode = '${code}', detail = 'Failing row: ${SECRET}';
    end $$;
    create trigger lack before insert or update on jobs for each row execute function lack()`);
  open.unshift(async () => void (await db.sql`drop trigger lack on jobs`));
}

test.each([
  ["53100", "no space left on its disk"],
  ["53200", "no memory left"],
  ["53000", "one of its limits"],
  ["58030", "cannot read or write its files"],
])("SQLSTATE %s gives 503 with Retry-After and the reason", async (code, text) => {
  await failWrites(code);
  const { app } = await openLoggedApp();
  for (const response of [await submit(app), await submitRest(app)]) {
    expect(response.statusCode, response.body).toBe(503);
    expect(response.headers["retry-after"]).toBe("2");
    expect(response.body).toContain(text);
    expect(response.body).not.toContain(SECRET);
  }
  expect((await app.inject({ url: "/api/trpc/jobs.counts" })).statusCode).toBe(200);
});

test("a server without free connections gives 503 with Retry-After", async () => {
  const role = `api_limited_${process.pid}`;
  await db.sql.unsafe(`create role ${role} login password 'x' connection limit 0`);
  open.push(async () => void (await db.sql.unsafe(`drop role ${role}`)));
  const limited = new URL(url);
  [limited.username, limited.password] = [role, "x"];
  const { app } = await openLoggedApp(limited.href);
  for (const response of [await submit(app), await submitRest(app), await app.inject({ url: "/readyz" })]) {
    expect(response.statusCode, response.body).toBe(503);
    expect(response.headers["retry-after"]).toBe("2");
    expect(response.body).toContain("The database has no connection left");
  }
});

test("the API is not ready when the server refuses writes", async () => {
  const { app: ready } = await openLoggedApp();
  expect((await ready.inject({ url: "/readyz" })).json()).toEqual({ status: "ready" });
  await db.sql.unsafe(`alter database "${new URL(url).pathname.slice(1)}" set default_transaction_read_only = on`);
  const { app } = await openLoggedApp();
  try {
    const response = await app.inject({ url: "/readyz" });
    expect(response.statusCode).toBe(503);
    expect(response.headers["retry-after"]).toBe("2");
    expect(response.json()).toEqual({
      status: "not ready",
      detail: "The database takes no writes: it is a standby or set to read-only",
    });
    const refused = await submit(app);
    expect({ status: refused.statusCode, body: refused.body }).toEqual({
      status: 503,
      body: expect.stringContaining("takes no writes") as string,
    });
  } finally {
    await db.sql.unsafe(`alter database "${new URL(url).pathname.slice(1)}" reset default_transaction_read_only`);
  }
});

test("the first failed request per reason is logged, the next ones are counted, and no secret is logged", async () => {
  await failWrites("53100");
  const { app, lines, logged } = await openLoggedApp();
  await Promise.all(Array.from({ length: 20 }, async () => submit(app)));
  expect((await submitRest(app)).statusCode).toBe(503);
  expect(logged()).toEqual([expect.objectContaining({ reason: "DISK_FULL", path: "/api/trpc/chat.submit" })]);
  expect(lines[0]).toContain("53100");
  await db.sql`alter table jobs rename to jobs_away`;
  try {
    await app.inject({ url: "/api/trpc/jobs.counts?input=%22private%22" });
    await app.inject({ url: "/api/jobs/018f0000-0000-7000-8000-000000000001/events" });
  } finally {
    await db.sql`alter table jobs_away rename to jobs`;
  }
  expect(logged().slice(1)).toEqual([expect.objectContaining({ reason: "PostgresError 42P01" })]);
  expect(lines[1]).toContain("relation");
  await app.close();
  expect(logged().slice(2)).toEqual([
    expect.objectContaining({ reason: "DISK_FULL", leftOut: 20 }),
    expect.objectContaining({ reason: "PostgresError 42P01", leftOut: 1 }),
  ]);
  expect(lines.join("")).not.toMatch(new RegExp(`${SECRET}|private`));
});

test("a failed job is logged with its error; an unreported answer is logged with its status", async () => {
  const { app, logged } = await openLoggedApp();
  app.get("/broken", async (_request, reply) => reply.code(502).send({ detail: "x" }));
  await app.inject({ url: "/broken" });
  await expect.poll(logged).toEqual([expect.objectContaining({ reason: "HTTP502", path: "/broken" })]);
  const waiting = app.inject({
    method: "POST",
    url: "/api/chat",
    payload: { messages: [{ role: "user", content: "hello" }] },
  });
  const fail = async () => {
    const failed = await db.sql`
      update jobs set status = 'failed', completed_at = now(), hold = null, error_message = 'the model broke'
      where status = 'queued'`;
    return failed.count;
  };
  await expect.poll(fail).toBe(1);
  expect((await waiting).statusCode).toBe(500);
  expect(JSON.stringify(logged()[1])).toContain("the model broke");
});
