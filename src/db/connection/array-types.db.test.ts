import { connect, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase } from "../../../test/database.ts";
import { Database } from "./client.ts";

let db: Database;
let url: string;
let drop: () => Promise<void>;

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  db = new Database({ url });
});
afterAll(async () => {
  await db.close();
  await drop();
});

const ID = "018f0000-0000-7000-8000-000000000001";

test.each<[string, unknown[]]>([
  ["text", ["plain", 'a "quote"', String.raw`a \ and \\`, "{a,b}", "", "null", "NULL", " ", "é😀\n\t", "'; --"]],
  ["text", []],
  ["text", ["a", null, "b"]],
  ["uuid", [ID, null]],
  ["int", [1, -2_147_483_648, 2_147_483_647, null]],
  ["float8", [0.1, -1e300, 5e-324]],
])("a %s array arrives as it was sent: %j", async (type, items) => {
  for (const prepare of [true, false]) {
    const own = new Database({ url, prepare });
    const [row] = await own.call(
      (sql) => sql<{ items: unknown }[]>`
        select coalesce(jsonb_agg(item order by place), '[]') as items
        from unnest(${items as string[]}::${sql.unsafe(type)}[]) with ordinality as list (item, place)`,
    );
    await own.close();
    expect(row?.items).toEqual(items);
  }
});

test("a new connection sends nothing but the caller's query", async () => {
  const target = new URL(url);
  const sent: Buffer[] = [];
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    client.on("data", (chunk) => void sent.push(chunk));
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const through = new URL(url);
  through.port = String(address !== null && typeof address === "object" ? address.port : 0);
  const own = new Database({ url: through.href });
  await own.call((sql) => sql`select 'the only query'`);
  await own.close();
  await new Promise((done) => server.close(done));
  const text = Buffer.concat(sent).toString("latin1");
  expect(text).toContain("the only query");
  expect(text).not.toContain("pg_type");
});
