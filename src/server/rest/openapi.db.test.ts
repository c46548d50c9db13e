import { recordTurn } from "#conversation";
import { complete } from "#queue/settle";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compileErrors, dereference, validate } from "@readme/openapi-parser";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Database } from "#db";
import { startCuttableProxy } from "../../../test/cuttable-proxy.ts";
import type { CuttableProxy } from "../../../test/cuttable-proxy.ts";
import { deferred } from "../../../test/deferred.ts";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";
import { describeApi } from "./openapi.ts";

interface Content {
  schema: object;
  example?: unknown;
}
interface Answer {
  content: Record<string, Content>;
  headers?: Record<string, unknown>;
}
interface Operation {
  operationId: string;
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, Answer>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

let queue: Awaited<ReturnType<typeof openQueue>>;
let proxy: CuttableProxy;
let db: Database;
let app: FastifyInstance;
let document: Document;
let submitted = deferred();
const open = async () =>
  buildApp({
    db,
    logLevel: "info",
    logTo: { write: (line) => line.includes("job submitted") && submitted.resolve() },
  });
beforeAll(async () => {
  queue = await openQueue();
  proxy = await startCuttableProxy(queue.url);
  db = new Database({ url: proxy.url, deadlineMs: 500 });
  app = await open();
  document = await dereference(describeApi() as never);
});
beforeEach(async () => {
  submitted = deferred();
  await queue.clear();
});
afterAll(async () => {
  await app.close();
  await db.close();
  await proxy.close();
  await queue.close();
});

const ajv = new Ajv2020({
  strict: false,
  formats: { uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "date-time": (text) => Date.parse(text) > 0 },
});
/** Forbids further properties, so that an undocumented property of an answer fails the test. */
const closed = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return "properties" in parts ? { ...parts, additionalProperties: false } : parts;
};
const expectFit = (schema: object, value: unknown) => {
  const fits = ajv.validate(closed(schema) as object, value);
  expect(fits, `${ajv.errorsText()} in ${JSON.stringify(value)}`).toBe(true);
};
const checked = new Set<string>();
/** Compares an answer with the document. */
const expectAnswer = (operationId: string, status: number, response: LightMyRequestResponse) => {
  expect(response.statusCode, response.body).toBe(status);
  const operation = Object.values(document.paths)
    .flatMap((path) => Object.values(path))
    .find((one) => one.operationId === operationId);
  const answer = operation?.responses[status];
  expect(answer, `${operationId} does not document ${status}`).toBeDefined();
  const type = String(response.headers["content-type"]).split(";")[0] ?? "";
  const content = answer!.content[type];
  expect(content, `${operationId} does not document ${type}`).toBeDefined();
  expectFit(content!.schema, type === "application/json" ? response.json() : response.body);
  for (const header of Object.keys(answer!.headers ?? {})) expect(response.headers[header]).toBeDefined();
  checked.add(`${operationId} ${status}`);
};

const body = { messages: [{ role: "user", content: "hello" }] };
const post = async (url: string, payload: object | string, to = app) =>
  to.inject({ method: "POST", url, payload, headers: { "content-type": "application/json" } });
const get = async (url: string, headers = {}) => app.inject({ url, headers });
/** Sends a chat, and calls `act` when its job is stored. */
const chat = async (act: () => Promise<unknown>, to = app) => {
  const answer = post("/api/chat", body, to);
  await submitted.promise;
  await act();
  return answer;
};

test("the served document is valid OpenAPI 3.1", async () => {
  const response = await get("/api/openapi.json");
  expectAnswer("getOpenApi", 200, response);
  const served = response.json<Document>();
  expect(served).toEqual(JSON.parse(JSON.stringify(describeApi())));
  expect(served.openapi).toMatch(/^3\.1\./);
  const result = await validate(structuredClone(served) as never);
  expect(result.valid, result.valid ? "" : compileErrors(result)).toBe(true);
});

test("the document lists exactly the REST routes of the server", () => {
  const page = fileURLToPath(new URL("../../../dist/client", import.meta.url));
  const routes: string[] = [];
  const above: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split("\n")) {
    const [, indent, path, methods] = /^(.*?)(?:├──|└──) (\S+)(?: \((.*)\))?$/.exec(line) ?? [];
    if (indent === undefined || path === undefined) continue;
    above.length = indent.length / 4;
    above.push(path);
    const url = above.join("");
    if (url.startsWith("/api/trpc/") || existsSync(`${page}${url}`)) continue;
    for (const method of (methods ?? "").split(", "))
      if (method !== "" && method !== "HEAD") routes.push(`${method} ${url.replaceAll(/:(\w+)/g, "{$1}")}`);
  }
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.length).toBeGreaterThan(7);
  expect(described.toSorted()).toEqual(routes.toSorted());
});

test("every example fits its schema, and invalid requests do not", () => {
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    const contents = [operation.requestBody, ...Object.values(operation.responses)].flatMap((part) =>
      Object.values(part?.content ?? {}),
    );
    for (const { schema, example } of contents) if (example !== undefined) expectFit(schema, example);
  }
  const { schema } = document.paths["/api/chat"]!["post"]!.requestBody!.content["application/json"]!;
  for (const wrong of [
    {},
    { messages: [] },
    { messages: [{ role: "robot", content: "x" }] },
    { ...body, thread_id: 7 },
  ])
    expect(ajv.validate(schema, wrong)).toBe(false);
});

test("the answers of a chat fit the document for every outcome", async () => {
  const reply = async () => {
    const job = await queue.takeOne();
    const { decisionSetId } = job;
    await queue.db.transaction(async (tx) => {
      await complete(tx, job, { result: {} });
      await recordTurn(tx, job, { decisionSetId: decisionSetId!, reply: "Hello", version: null, checkpointId: null });
    });
  };
  expectAnswer("chat", 200, await chat(reply));
  submitted = deferred();
  expectAnswer("chat", 500, await chat(async () => queue.failOne(await queue.takeOne(), true)));
  submitted = deferred();
  const leaving = await open();
  expectAnswer("chat", 504, await chat(async () => leaving.close(), leaving));
  expectAnswer("submitChat", 200, await post("/api/chat/async", body));
});

test("the answers about a job fit the document in every state", async () => {
  const job = (await post("/api/chat/async", body)).json<{ job_id: string }>();
  const status = async () => get(`/api/jobs/${job.job_id}/status`);
  expectAnswer("getJobStatus", 200, await status());
  const claimed = await queue.takeOne();
  expectAnswer("getJobStatus", 200, await status());
  await queue.finish(claimed);
  expectAnswer("getJobStatus", 200, await status());
  expectAnswer("followJob", 200, await get(`/api/jobs/${job.job_id}/events`));
  for (const id of [randomUUID(), "x"]) {
    expectAnswer("getJobStatus", 404, await get(`/api/jobs/${id}/status`));
    expectAnswer("followJob", 404, await get(`/api/jobs/${id}/events`));
  }
  expectAnswer("followJob", 422, await get(`/api/jobs/${job.job_id}/events`, { "last-event-id": "x" }));
});

test("the refusals fit the document", async () => {
  const { thread_id } = (await post("/api/chat/async", body)).json<{ thread_id: string }>();
  await queue.db.sql`update decision_sets set owner_id = 'another'`;
  const foreign = { host: "evil.example" };
  for (const [operationId, url] of [
    ["chat", "/api/chat"],
    ["submitChat", "/api/chat/async"],
  ] as const) {
    expectAnswer(operationId, 400, await post(url, "{"));
    expectAnswer(operationId, 404, await post(url, { ...body, thread_id }));
    expectAnswer(operationId, 413, await post(url, { text: "x".repeat(1_100_000) }));
    expectAnswer(
      operationId,
      415,
      await app.inject({ method: "POST", url, payload: "<x/>", headers: { "content-type": "text/xml" } }),
    );
    expectAnswer(operationId, 422, await post(url, { messages: [] }));
    const keyed = { method: "POST", url, headers: { "idempotency-key": "taken" } } as const;
    await app.inject({ ...keyed, url: "/api/chat/async", payload: body });
    const other = { messages: [{ role: "user", content: "something else" }] };
    expectAnswer(operationId, 409, await app.inject({ ...keyed, payload: other }));
    expectAnswer(operationId, 403, await app.inject({ method: "POST", url, payload: body, headers: foreign }));
  }
  for (const [operationId, url] of READS) expectAnswer(operationId, 403, await get(url, foreign));
});

const READS = [
  ["getJobStatus", `/api/jobs/${randomUUID()}/status`],
  ["followJob", `/api/jobs/${randomUUID()}/events`],
  ["getHealth", "/healthz"],
  ["getReadiness", "/readyz"],
  ["getMetrics", "/metrics"],
  ["getOpenApi", "/api/openapi.json"],
] as const;

test("the answers without a working database fit the document, and every documented answer was checked", async () => {
  await proxy.cut();
  expectAnswer("chat", 503, await post("/api/chat", body));
  expectAnswer("submitChat", 503, await post("/api/chat/async", body));
  for (const [operationId, url] of READS.slice(0, 2)) expectAnswer(operationId, 503, await get(url));
  expectAnswer("getReadiness", 503, await get("/readyz"));
  await proxy.restore();
  await queue.db.sql`alter table jobs rename to jobs_away`;
  try {
    expectAnswer("submitChat", 500, await post("/api/chat/async", body));
    expectAnswer("chat", 500, await post("/api/chat", body));
    for (const [operationId, url] of READS.slice(0, 2)) expectAnswer(operationId, 500, await get(url));
  } finally {
    await queue.db.sql`alter table jobs_away rename to jobs`;
  }
  for (const [operationId, url] of READS.slice(2)) expectAnswer(operationId, 200, await get(url));
  const all = Object.values(document.paths)
    .flatMap((path) => Object.values(path))
    .flatMap(({ operationId, responses }) => Object.keys(responses).map((status) => `${operationId} ${status}`));
  expect([...checked].toSorted()).toEqual(all.toSorted());
});
