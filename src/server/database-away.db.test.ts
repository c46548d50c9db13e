import type { FastifyInstance, InjectOptions } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "#db";
import { startCuttableProxy } from "../../test/cuttable-proxy.ts";
import type { CuttableProxy } from "../../test/cuttable-proxy.ts";
import { createTestDatabase } from "../../test/database.ts";
import { buildApp } from "./app.ts";

let db: Database;
let app: FastifyInstance;
let proxy: CuttableProxy;
let drop: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  proxy = await startCuttableProxy(created.url);
  db = new Database({ url: proxy.url, deadlineMs: 500 });
  app = await buildApp({ db, logLevel: "silent" });
});
afterAll(async () => {
  await app.close();
  await db.close();
  await proxy.close();
  await drop();
});

const submit: InjectOptions = {
  method: "POST",
  url: "/api/trpc/chat.submit",
  payload: { content: "hello", idempotencyKey: "same" },
};
const submitRest: InjectOptions = {
  method: "POST",
  url: "/api/chat/async",
  payload: { messages: [{ role: "user", content: "hello" }] },
};

test.each<[string, () => Promise<void> | void]>([
  ["refuses connections", async () => proxy.cut()],
  ["is behind a network that drops everything", () => proxy.blackHole()],
])(
  "a database that %s is 503 with Retry-After, within the deadline, and comes back by itself",
  async (_name, leave) => {
    const before = (await app.inject(submit)).json<{ result: { data: { jobId: string } } }>();
    await leave();
    for (const request of [submit, submitRest, { url: "/api/trpc/jobs.counts" }, { url: "/readyz" }]) {
      const startedAt = performance.now();
      const response = await app.inject(request);
      expect({ request, status: response.statusCode }).toMatchObject({ status: 503 });
      expect(response.headers["retry-after"]).toBe("2");
      expect(response.body).not.toContain("postgres://");
      expect(performance.now() - startedAt).toBeLessThan(3_000);
    }
    expect((await app.inject({ url: "/healthz" })).statusCode).toBe(200);
    await proxy.restore();
    const after = await app.inject(submit);
    expect(after.statusCode, after.body).toBe(200);
    expect(after.json<typeof before>().result.data.jobId).toBe(before.result.data.jobId);
    expect((await app.inject({ url: "/readyz" })).statusCode).toBe(200);
  },
);
