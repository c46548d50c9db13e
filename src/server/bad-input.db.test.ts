import type { FastifyInstance, InjectOptions } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "#db";
import { createTestDatabase } from "../../test/database.ts";
import { buildApp } from "./app.ts";

let db: Database;
let app: FastifyInstance;
let drop: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  db = new Database({ url: created.url });
  app = await buildApp({ db, logLevel: "silent" });
});
afterAll(async () => {
  await app.close();
  await db.close();
  await drop();
});

const NUL = "\u0000";
const LONE_SURROGATE = "\uD83D";
const TOO_LONG = "x".repeat(32_001);
const OVER_1_MIB = "x".repeat(1_048_577);
const json = { "content-type": "application/json" };

const post = (url: string, payload: unknown, headers: Record<string, string> = json): InjectOptions => ({
  method: "POST",
  url,
  headers,
  payload: typeof payload === "string" ? payload : JSON.stringify(payload),
});
const submit = (input: unknown) => post("/api/trpc/chat.submit", input);
const rest = (body: unknown) => post("/api/chat/async", body);
const wait = (body: unknown) => post("/api/chat", body);
const user = (content: unknown) => ({ messages: [{ role: "user", content }] });
const query = (path: string, input: unknown): InjectOptions => ({
  method: "GET",
  url: `/api/trpc/${path}?input=${encodeURIComponent(typeof input === "string" ? input : JSON.stringify(input))}`,
});
const ID = "018f0000-0000-7000-8000-000000000000";

type Case = [name: string, request: InjectOptions, status: number, message: RegExp];

const SUBMIT: Case[] = [
  ["no content", submit({}), 400, /^content/],
  ["empty content", submit({ content: "" }), 400, /^content must not be empty/],
  ["content of white space", submit({ content: " \n\t " }), 400, /^content must not be empty/],
  ["content of 32,001 characters", submit({ content: TOO_LONG }), 400, /^content must have at most 32,000 characters/],
  ["content with NUL", submit({ content: `a${NUL}b` }), 400, /^content must not contain NUL/],
  ["content with half a character", submit({ content: LONE_SURROGATE }), 400, /^content must be well-formed/],
  ["content of a wrong type", submit({ content: 5 }), 400, /^content/],
  ["content as a list", submit({ content: ["x"] }), 400, /^content/],
  ["a malformed threadId", submit({ content: "x", threadId: "nope" }), 400, /^threadId must be a UUID/],
  ["a threadId of a wrong type", submit({ content: "x", threadId: 7 }), 400, /^threadId/],
  ["an empty idempotencyKey", submit({ content: "x", idempotencyKey: "" }), 400, /^idempotencyKey must not be empty/],
  ["a long idempotencyKey", submit({ content: "x", idempotencyKey: "k".repeat(201) }), 400, /^idempotencyKey/],
  ["NUL in idempotencyKey", submit({ content: "x", idempotencyKey: NUL }), 400, /^idempotencyKey must not contain NUL/],
  ["a fractional priority", submit({ content: "x", priority: 1.5 }), 400, /^priority/],
  ["a priority beyond int32", submit({ content: "x", priority: 2_147_483_648 }), 400, /^priority must be at most/],
  ["a priority in words", submit({ content: "x", priority: "high" }), 400, /^priority/],
  ["negative maxRetries", submit({ content: "x", maxRetries: -1 }), 400, /^maxRetries must not be negative/],
  ["too many maxRetries", submit({ content: "x", maxRetries: 101 }), 400, /^maxRetries must be at most 100/],
  ["a jobType with a space", submit({ content: "x", jobType: "a b" }), 400, /^jobType/],
  ["an empty jobType", submit({ content: "x", jobType: "" }), 400, /^jobType/],
  ["several faults at once", submit({ content: "", priority: 0.5 }), 400, /content.*; priority/],
  ["a body over 1 MiB", submit({ content: OVER_1_MIB }), 413, /body/i],
  ["broken JSON", submit('{"content":'), 400, /body|JSON/i],
  ["an empty body", submit(""), 400, /body|content|input/i],
  ["null", submit("null"), 400, /object/i],
  ["a list", submit([1]), 400, /object|content/i],
  ["a wrong content type", post("/api/trpc/chat.submit", "x", { "content-type": "text/plain" }), 415, /content.type/i],
  ["a query for a mutation", query("chat.submit", { content: "x" }), 405, /./],
  ["an unknown procedure", post("/api/trpc/chat.nothing", {}), 404, /chat\.nothing/],
];

const QUERIES: Case[] = [
  ["a malformed jobId", query("jobs.status", { jobId: "1" }), 400, /^jobId must be a UUID/],
  ["no jobId", query("jobs.get", {}), 400, /^jobId/],
  ["input that is no JSON", query("jobs.status", "{"), 400, /input|JSON/i],
  ["a malformed threadId asked for", query("threads.get", { threadId: "x" }), 400, /^threadId must be a UUID/],
  ["a limit of zero", query("jobs.list", { limit: 0 }), 400, /^limit must be at least 1/],
  ["a negative limit", query("jobs.list", { limit: -1 }), 400, /^limit must be at least 1/],
  ["a fractional limit", query("jobs.list", { limit: 1.5 }), 400, /^limit/],
  ["a limit above the most", query("jobs.list", { limit: 201 }), 400, /^limit must be at most 200/],
  ["a limit in words", query("jobs.list", { limit: "ten" }), 400, /^limit/],
  ["a bad cursor", query("jobs.list", { cursor: "abc" }), 400, /^cursor must be a nextCursor/],
  ["a negative cursor", query("jobs.list", { cursor: "-1" }), 400, /^cursor must be a nextCursor/],
  ["an unknown status", query("jobs.list", { status: "done" }), 400, /^status/],
  ["NUL in a search", query("jobs.list", { search: NUL }), 400, /^search must not contain NUL/],
  ["a negative limit of threads", query("threads.list", { limit: -1 }), 400, /^limit must be at least 1/],
  ["a fractional limit of threads", query("threads.list", { limit: 0.5 }), 400, /^limit/],
  ["version 0", query("decisionSets.version", { decisionSetId: ID, version: 0 }), 400, /^version must be at least 1/],
  ["a version beyond int32", query("decisionSets.version", { decisionSetId: ID, version: 3e9 }), 400, /^version must/],
];

const REST: Case[] = [
  ["no body", { method: "POST", url: "/api/chat/async" }, 422, /^body/],
  ["an empty body with a type", rest(""), 400, /^body/],
  ["broken JSON", rest('{"messages":'), 400, /^body/],
  ["a forbidden key", rest('{"__proto__":{}}'), 400, /^body/],
  ["null", rest("null"), 422, /^body: must be a JSON object/],
  ["no messages", rest({}), 422, /^messages/],
  ["empty messages", rest({ messages: [] }), 422, /^messages must not be empty/],
  ["messages that are no list", rest({ messages: "hi" }), 422, /^messages/],
  ["a message that is no object", rest({ messages: ["hi"] }), 422, /^messages\[0\]/],
  ["an unknown role", rest({ messages: [{ role: "robot", content: "x" }] }), 422, /^messages\[0\]\.role/],
  [
    "no user at the end",
    rest({ messages: [{ role: "assistant", content: "x" }] }),
    422,
    /messages must have role user/,
  ],
  ["empty content", rest(user("")), 422, /^messages\[0\]\.content/],
  ["content of white space", rest(user("  ")), 422, /^messages\[0\]\.content/],
  ["content of 32,001 characters", rest(user(TOO_LONG)), 422, /^messages\[0\]\.content.*32,000/],
  ["content with NUL", rest(user(NUL)), 422, /^messages\[0\]\.content.*NUL/],
  ["content with half a character", rest(user(`a${LONE_SURROGATE}`)), 422, /^messages\[0\]\.content.*well-formed/],
  ["content of a wrong type", rest(user(null)), 422, /^messages\[0\]\.content/],
  ["a malformed thread_id", rest({ ...user("x"), thread_id: "x" }), 422, /^thread_id must be a UUID/],
  ["1,001 messages", rest({ messages: Array.from({ length: 1001 }, () => user("x").messages[0]) }), 422, /^messages/],
  ["a body over 1 MiB", rest(user(OVER_1_MIB)), 413, /^body/],
  [
    "a wrong content type",
    post("/api/chat/async", "x", { "content-type": "text/plain" }),
    422,
    /^body.*application\/json/,
  ],
  ["an unknown content type", post("/api/chat/async", "x", { "content-type": "application/xml" }), 415, /^body/],
  ["bad content where the caller waits", wait(user(" ")), 422, /^messages\[0\]\.content/],
  ["a body over 1 MiB where the caller waits", wait(user(OVER_1_MIB)), 413, /^body/],
];

test.each([
  ...SUBMIT.map((one): Case => [`tRPC: ${one[0]}`, one[1], one[2], one[3]]),
  ...QUERIES.map((one): Case => [`tRPC: ${one[0]}`, one[1], one[2], one[3]]),
  ...REST.map((one): Case => [`REST: ${one[0]}`, one[1], one[2], one[3]]),
])("%s is refused by name, and nothing is stored", async (_name, request, status, message) => {
  const response = await app.inject(request);
  const body = response.json<{ detail?: string; error?: { message: string; data?: object } }>();
  expect({ status: response.statusCode, body: JSON.stringify(body).slice(0, 400) }).toMatchObject({ status });
  expect(body.detail ?? body.error?.message).toMatch(message);
  expect(response.body).not.toMatch(/\bat .*\.(ts|js):|node_modules/);
  const [row] = await db.sql<{ count: number }[]>`
    select ((select count(*) from jobs) + (select count(*) from messages) + (select count(*) from decision_sets))::int as count`;
  expect(row?.count).toBe(0);
});
