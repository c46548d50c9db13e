import type { FastifyInstance, InjectOptions } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "#db";
import { startCuttableProxy } from "../../../test/cuttable-proxy.ts";
import type { CuttableProxy } from "../../../test/cuttable-proxy.ts";
import { createTestDatabase } from "../../../test/database.ts";
import { trpcUrl } from "../../../test/open-app.ts";
import { buildApp } from "../app.ts";
import { appRouter } from "../trpc/router.ts";

let db: Database;
let app: FastifyInstance;
let proxy: CuttableProxy;
let drop: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  proxy = await startCuttableProxy(created.url);
  db = new Database({ url: proxy.url, deadlineMs: 1_000 });
  app = await buildApp({ db, logLevel: "silent" });
  // The first connection may take longer than the deadline under test.
  await db.transaction(async (tx) => tx`select 1`, 10_000);
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
  ["is behind a network that drops every packet", () => proxy.blackHole()],
])("a database that %s gives 503 with Retry-After, and the API recovers without a restart", async (_name, leave) => {
  const before = (await app.inject(submit)).json<{ result: { data: { jobId: string } } }>();
  await leave();
  for (const request of [submit, submitRest, { url: "/api/trpc/jobs.counts" }, { url: "/readyz" }]) {
    const response = await app.inject(request);
    expect({ request, status: response.statusCode }).toMatchObject({ status: 503 });
    expect(response.headers["retry-after"]).toBe("2");
    expect(response.body).not.toContain("postgres://");
  }
  expect((await app.inject({ url: "/healthz" })).statusCode).toBe(200);
  await proxy.restore();
  const after = await app.inject(submit);
  expect(after.statusCode, after.body).toBe(200);
  expect(after.json<typeof before>().result.data.jobId).toBe(before.result.data.jobId);
  for (const url of ["/readyz", "/api/trpc/jobs.counts", "/api/trpc/queues.list"])
    expect((await app.inject({ url })).statusCode, url).toBe(200);
});

const ID = "018f0000-0000-7000-8000-000000000000";
const jobId = { jobId: ID };
const scheduleId = { scheduleId: ID };
const queue = { queue: "default" };
const schedule = { name: "s", cron: "0 * * * *", jobType: "t", payload: {} };

/** A valid input for each procedure. A new procedure without a line here fails the test. */
const INPUTS: Record<string, object> = {
  "chat.submit": { content: "x" },
  "chat.send": { content: "x" },
  "chat.answer": { ...jobId, interruptId: "q", answers: "yes" },
  "graphs.list": {},
  "jobs.status": jobId,
  "jobs.get": jobId,
  "jobs.list": { search: "x" },
  "jobs.retry": { ...jobId, payload: {} },
  "jobs.retryMany": { jobIds: [ID] },
  "jobs.cancel": jobId,
  "jobs.cancelMany": { jobIds: [ID] },
  "jobs.changePriority": { ...jobId, priority: 1 },
  "jobs.deadLetters": {},
  "jobs.discard": { jobIds: [ID] },
  "jobs.pauseType": { jobType: "t" },
  "jobs.resumeType": { jobType: "t" },
  "jobs.counts": {},
  "threads.export": { threadId: ID, format: "json" },
  "threads.list": {},
  "threads.get": { threadId: ID },
  "decisionSets.get": { decisionSetId: ID },
  "decisionSets.version": { decisionSetId: ID, version: 1 },
  "workers.list": {},
  "queues.list": {},
  "queues.create": queue,
  "queues.pause": queue,
  "queues.resume": queue,
  "queues.setLimits": { ...queue, limits: {} },
  "schedules.list": {},
  "schedules.save": schedule,
  "schedules.pause": scheduleId,
  "schedules.resume": scheduleId,
  "schedules.runNow": scheduleId,
  "schedules.delete": scheduleId,
};

test("without the database, every procedure and every route answers 503 with Retry-After", async () => {
  // A new app: the other one may have cached the counts.
  const fresh = await buildApp({ db, logLevel: "silent" });
  await proxy.cut();
  // oxlint-disable-next-line no-underscore-dangle -- tRPC's own name
  const { procedures } = appRouter._def;
  const requests: [url: string, payload: object | undefined][] = [
    ["/api/chat", { messages: [{ role: "user", content: "hello" }] }],
    [`/api/jobs/${ID}/status`, undefined],
    [`/api/jobs/${ID}/events`, undefined],
  ];
  for (const [path, procedure] of Object.entries(procedures as unknown as Record<string, { _def: { type: string } }>)) {
    // oxlint-disable-next-line no-underscore-dangle -- as above
    const { type } = procedure._def;
    const input = INPUTS[path] ?? {};
    if (type === "mutation") requests.push([`/api/trpc/${path}`, input]);
    // A subscription reports its error inside the stream.
    else if (type === "query") requests.push([trpcUrl(path, input), undefined]);
  }
  const answers = requests.map(async ([url, payload]) => {
    const response = await fresh.inject(payload ? { method: "POST", url, payload } : { url });
    expect({ url, status: response.statusCode, body: response.body }).toMatchObject({ url, status: 503 });
    expect(response.headers["retry-after"], url).toBe("2");
  });
  await Promise.all(answers);
  await fresh.close();
  await proxy.restore();
});
