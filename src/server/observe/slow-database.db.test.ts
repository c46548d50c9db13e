import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Database } from "#db";
import { createTestDatabase } from "../../../test/database.ts";
import { trpcUrl } from "../../../test/open-app.ts";
import { buildApp } from "../app.ts";

/** A database whose reads take 60 s. */
class SlowDatabase extends Database {
  override async read<T>(work: Parameters<Database["call"]>[0]): Promise<T> {
    return super.read(async (sql) => {
      await sql`select pg_sleep(60)`;
      return work(sql as Database["sql"]) as Promise<T>;
    });
  }
}

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

async function openSlowApp(deadlineMs: number) {
  const slowReads = new SlowDatabase({ url, maxConnections: 3, hasSlowReads: true, deadlineMs });
  const app = await buildApp({ db, slowReads, logLevel: "silent" });
  open.push(async () => {
    await app.close();
    await slowReads.close();
  });
  return app;
}
const search = async (app: FastifyInstance, text: string) => {
  const response = await app.inject({ url: trpcUrl("jobs.list", { search: text }) });
  const { message } = response.json<{ error: { message: string } }>().error;
  return { status: response.statusCode, message, retryAfter: response.headers["retry-after"] };
};
const submit = async (app: FastifyInstance) =>
  app.inject({ method: "POST", url: "/api/trpc/chat.submit", payload: { content: "hello" } });
const countSearches = async () => {
  const [row] = await db.sql<{ count: number }[]>`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and state = 'active' and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`;
  return row?.count;
};

test("a slow search is cancelled with the reason, while submits succeed", async () => {
  const app = await openSlowApp(2_000);
  const searching = search(app, "rubbish");
  await expect.poll(countSearches).toBe(1);
  for (let turn = 0; turn < 5; turn += 1) expect((await submit(app)).statusCode).toBe(200);
  expect(await countSearches()).toBe(1);
  expect(await searching).toEqual({
    status: 503,
    message: "The search took too long and was stopped: narrow it by status, type or queue",
    retryAfter: "2",
  });
  expect(await countSearches()).toBe(0);
});

test("a third search waits, and is refused without a statement when no slot becomes free", async () => {
  const app = await openSlowApp(20_000);
  const texts = ["one", "two", "three", "four"];
  const searching = texts.map(async (text) => search(app, text));
  const refused = await Promise.race(searching);
  expect(refused).toMatchObject({ status: 503, message: expect.stringContaining("Other searches") as string });
  expect(await countSearches()).toBe(2);
  // Cancels the two running searches, so that no statement outlives the test.
  await db.sql`select pg_cancel_backend(pid) from pg_stat_activity
    where datname = current_database() and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`;
  expect((await Promise.all(searching)).map(({ status }) => status)).toEqual([503, 503, 503, 503]);
});
