import type { InjectOptions } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openApp, trpcUrl } from "../../../test/open-app.ts";

let api: Awaited<ReturnType<typeof openApp>>;
beforeAll(async () => {
  api = await openApp();
});
afterAll(async () => api.close());

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
  url: typeof input === "string" ? `${trpcUrl(path)}?input=${encodeURIComponent(input)}` : trpcUrl(path, input),
});
const ID = "018f0000-0000-7000-8000-000000000000";

type Case = [name: string, request: InjectOptions, status: number, message: RegExp];

const SUBMIT: Case[] = [
  ["no content", submit({}), 400, /^content/],
  ["empty content", submit({ content: "" }), 400, /^content must not be empty/],
  ["content of white space", submit({ content: " \n\t " }), 400, /^content must not be empty/],
  ["content of 32,001 characters", submit({ content: TOO_LONG }), 400, /^content must have at most 32,000 characters/],
  ["content with NUL", submit({ content: `a${NUL}b` }), 400, /^content must not contain NUL/],
  ["content with a lone surrogate", submit({ content: LONE_SURROGATE }), 400, /^content must be well-formed/],
  ["content of the wrong type", submit({ content: 5 }), 400, /^content/],
  ["content as a list", submit({ content: ["x"] }), 400, /^content/],
  ["a malformed threadId", submit({ content: "x", threadId: "nope" }), 400, /^threadId must be a UUID/],
  ["a threadId of the wrong type", submit({ content: "x", threadId: 7 }), 400, /^threadId/],
  ["an empty idempotencyKey", submit({ content: "x", idempotencyKey: "" }), 400, /^idempotencyKey must not be empty/],
  ["a long idempotencyKey", submit({ content: "x", idempotencyKey: "k".repeat(201) }), 400, /^idempotencyKey/],
  ["NUL in idempotencyKey", submit({ content: "x", idempotencyKey: NUL }), 400, /^idempotencyKey must not contain NUL/],
  ["a fractional priority", submit({ content: "x", priority: 1.5 }), 400, /^priority/],
  ["a priority beyond int32", submit({ content: "x", priority: 2_147_483_648 }), 400, /^priority must be at most/],
  ["a priority as a word", submit({ content: "x", priority: "high" }), 400, /^priority/],
  ["negative maxRetries", submit({ content: "x", maxRetries: -1 }), 400, /^maxRetries must not be negative/],
  ["too many maxRetries", submit({ content: "x", maxRetries: 101 }), 400, /^maxRetries must be at most 100/],
  ["a jobType with a space", submit({ content: "x", jobType: "a b" }), 400, /^jobType/],
  ["an empty jobType", submit({ content: "x", jobType: "" }), 400, /^jobType/],
  ["two invalid fields", submit({ content: "", priority: 0.5 }), 400, /content.*; priority/],
  ["a body over 1 MiB", submit({ content: OVER_1_MIB }), 413, /body/i],
  ["broken JSON", submit('{"content":'), 400, /body|JSON/i],
  ["an empty body", submit(""), 400, /body|content|input/i],
  ["null", submit("null"), 400, /object/i],
  ["a list", submit([1]), 400, /object|content/i],
  [
    "the wrong content type",
    post("/api/trpc/chat.submit", "x", { "content-type": "text/plain" }),
    415,
    /content.type/i,
  ],
  ["a GET of a mutation", query("chat.submit", { content: "x" }), 405, /./],
  ["an unknown procedure", post("/api/trpc/chat.nothing", {}), 404, /chat\.nothing/],
];

const QUERIES: Case[] = [
  ["a malformed jobId", query("jobs.status", { jobId: "1" }), 400, /^jobId must be a UUID/],
  ["no jobId", query("jobs.get", {}), 400, /^jobId/],
  ["input that is not JSON", query("jobs.status", "{"), 400, /input|JSON/i],
  ["a malformed threadId in a query", query("threads.get", { threadId: "x" }), 400, /^threadId must be a UUID/],
  ["a limit of zero", query("jobs.list", { limit: 0 }), 400, /^limit must be at least 1/],
  ["a negative limit", query("jobs.list", { limit: -1 }), 400, /^limit must be at least 1/],
  ["a fractional limit", query("jobs.list", { limit: 1.5 }), 400, /^limit/],
  ["a limit above the maximum", query("jobs.list", { limit: 201 }), 400, /^limit must be at most 200/],
  ["a limit as a word", query("jobs.list", { limit: "ten" }), 400, /^limit/],
  ["a bad cursor", query("jobs.list", { cursor: "abc" }), 400, /^cursor must be a nextCursor/],
  ["a negative cursor", query("jobs.list", { cursor: "-1" }), 400, /^cursor must be a nextCursor/],
  ["an unknown status", query("jobs.list", { status: "done" }), 400, /^status/],
  ["NUL in a search", query("jobs.list", { search: NUL }), 400, /^search must not contain NUL/],
  ["a negative limit for threads", query("threads.list", { limit: -1 }), 400, /^limit must be at least 1/],
  ["a fractional limit for threads", query("threads.list", { limit: 0.5 }), 400, /^limit/],
  ["version 0", query("decisionSets.version", { decisionSetId: ID, version: 0 }), 400, /^version must be at least 1/],
  ["a version beyond int32", query("decisionSets.version", { decisionSetId: ID, version: 3e9 }), 400, /^version must/],
];

const events = (input: object): InjectOptions => ({
  ...query("jobs.events", input),
  headers: { accept: "text/event-stream" },
});
const YEAR_ZERO = "0000-01-01T00:00:00Z";
const wrongDate = (name: string, value: string): Case => [
  `${name} of ${value}`,
  query("jobs.deadLetters", { [name]: value }),
  400,
  new RegExp(`^${name} must be an ISO 8601 time`),
];

const UNUSUAL: Case[] = [
  wrongDate("failedAfter", YEAR_ZERO),
  wrongDate("failedBefore", "9999-12-31T23:59:59-12:00"),
  wrongDate("failedBefore", "0001-01-01T00:00:00+12:00"),
  wrongDate("failedAfter", "2030-02-30T00:00:00Z"),
  wrongDate("failedAfter", "2030-01-01T24:00:00Z"),
  wrongDate("failedAfter", "yesterday"),
  ["TRACE of a query", { method: "TRACE", url: "/api/trpc/jobs.counts" }, 405, /TRACE/],
  ["TRACE of a mutation", { method: "TRACE", url: "/api/trpc/chat.submit" }, 405, /TRACE/],
  ["TRACE of REST", { method: "TRACE", url: "/api/chat" }, 404, /Not found/],
];

const keyed = (key: string): InjectOptions => post("/api/chat/async", user("x"), { ...json, "idempotency-key": key });

const REST: Case[] = [
  ["an unknown key", rest({ ...user("x"), stream: true }), 422, /^Unrecognized key: "stream"/],
  ["the idempotency key in the body", rest({ ...user("x"), idempotency_key: "k" }), 422, /"idempotency_key"/],
  ["two unknown keys", wait({ ...user("x"), a: 1, b: 2 }), 422, /"a", "b"/],
  [
    "an unknown key of a message",
    rest({ messages: [{ role: "user", content: "x", name: "n" }] }),
    422,
    /\[0\].*"name"/,
  ],
  ["an empty Idempotency-Key", keyed(""), 422, /^Idempotency-Key must not be empty/],
  ["a long Idempotency-Key", keyed("k".repeat(201)), 422, /^Idempotency-Key must have at most 200/],
  ["a graph of the wrong type", rest({ ...user("x"), graph: 5 }), 422, /^graph/],
  ["a graph that no worker offers", rest({ ...user("x"), graph: "nowhere" }), 400, /^graph "nowhere" is unknown/],
  ["no body", { method: "POST", url: "/api/chat/async" }, 422, /^body/],
  ["an empty body with a content type", rest(""), 400, /^body/],
  ["broken JSON", rest('{"messages":'), 400, /^body/],
  ["a forbidden key", rest('{"__proto__":{}}'), 400, /^body/],
  ["null", rest("null"), 422, /^body: must be a JSON object/],
  ["no messages", rest({}), 422, /^messages/],
  ["empty messages", rest({ messages: [] }), 422, /^messages must not be empty/],
  ["messages that are not a list", rest({ messages: "hi" }), 422, /^messages/],
  ["a message that is not an object", rest({ messages: ["hi"] }), 422, /^messages\[0\]/],
  ["an unknown role", rest({ messages: [{ role: "robot", content: "x" }] }), 422, /^messages\[0\]\.role/],
  [
    "a last message that is not the user's",
    rest({ messages: [{ role: "assistant", content: "x" }] }),
    422,
    /messages must have role user/,
  ],
  ["empty content", rest(user("")), 422, /^messages\[0\]\.content/],
  ["content of white space", rest(user("  ")), 422, /^messages\[0\]\.content/],
  ["content of 32,001 characters", rest(user(TOO_LONG)), 422, /^messages\[0\]\.content.*32,000/],
  ["content with NUL", rest(user(NUL)), 422, /^messages\[0\]\.content.*NUL/],
  ["content with a lone surrogate", rest(user(`a${LONE_SURROGATE}`)), 422, /^messages\[0\]\.content.*well-formed/],
  ["content of the wrong type", rest(user(null)), 422, /^messages\[0\]\.content/],
  ["a malformed thread_id", rest({ ...user("x"), thread_id: "x" }), 422, /^thread_id must be a UUID/],
  ["1,001 messages", rest({ messages: Array.from({ length: 1001 }, () => user("x").messages[0]) }), 422, /^messages/],
  ["a body over 1 MiB", rest(user(OVER_1_MIB)), 413, /^body/],
  [
    "the wrong content type",
    post("/api/chat/async", "x", { "content-type": "text/plain" }),
    422,
    /^body.*application\/json/,
  ],
  ["an unknown content type", post("/api/chat/async", "x", { "content-type": "application/xml" }), 415, /^body/],
  ["bad content for a waiting caller", wait(user(" ")), 422, /^messages\[0\]\.content/],
  ["a body over 1 MiB for a waiting caller", wait(user(OVER_1_MIB)), 413, /^body/],
];

test.each([
  ...SUBMIT.map((one): Case => [`tRPC: ${one[0]}`, one[1], one[2], one[3]]),
  ...QUERIES.map((one): Case => [`tRPC: ${one[0]}`, one[1], one[2], one[3]]),
  ...UNUSUAL.map((one): Case => [`unusual: ${one[0]}`, one[1], one[2], one[3]]),
  ...REST.map((one): Case => [`REST: ${one[0]}`, one[1], one[2], one[3]]),
])("%s is refused, the answer names the field, and nothing is stored", async (_name, request, status, message) => {
  const response = await api.app.inject(request);
  expect(response.statusCode).toBeLessThan(500);
  const body = response.json<{ detail?: string; error?: { message: string; data?: object } }>();
  expect({ status: response.statusCode, body: JSON.stringify(body).slice(0, 400) }).toMatchObject({ status });
  expect(body.detail ?? body.error?.message).toMatch(message);
  expect(response.body).not.toMatch(/\bat .*\.(ts|js):|node_modules/);
  const [row] = await api.queue.db.sql<{ count: number }[]>`
    select ((select count(*) from jobs) + (select count(*) from messages) + (select count(*) from decision_sets))::int as count`;
  expect(row?.count).toBe(0);
});

test.each(["2030-01-31T08:00:00.123456789012Z", "2030-01-31T08:00:00+23:59", "9999-12-31T23:59:59Z"])(
  "dead letters can be filtered by %s",
  async (failedAfter) => {
    const response = await api.app.inject(query("jobs.deadLetters", { failedAfter, failedBefore: failedAfter }));
    expect(response.statusCode, response.body).toBe(200);
  },
);

test.each(["ml_workflow", "graph:steps", "custom"])(
  "an edited payload of a turn of type %s is checked like a submit",
  async (jobType) => {
    await api.queue.db.sql`truncate jobs, decision_sets cascade`;
    const { result } = (
      await api.app.inject(
        submit({ content: "Predict churn", jobType: jobType === "graph:steps" ? "custom" : jobType }),
      )
    ).json<{ result: { data: { jobId: string } } }>();
    const { jobId } = result.data;
    await api.queue.db
      .sql`update jobs set job_type = ${jobType}, status = 'cancelled', completed_at = clock_timestamp()`;
    const [job] = await api.queue.db.sql<{ payload: object }[]>`select payload from jobs`;
    for (const [payload, message] of [
      [{ ...job?.payload, content: TOO_LONG }, /content must have at most 32,000/],
      [{ ...job?.payload, content: NUL }, /content must not contain NUL|must not contain NUL/],
      [{ ...job?.payload, content: "  " }, /content must not be empty/],
      [{ ...job?.payload, content: 5 }, /content|expected string/],
      [{ messageId: "x" }, /content|expected string/],
      ["text", /object/],
    ] as const) {
      const response = await api.app.inject(post("/api/trpc/jobs.retry", { jobId, payload }));
      expect(response.statusCode, response.body).toBe(400);
      expect(response.json<{ error: { message: string } }>().error.message).toMatch(message);
    }
    const [stored] = await api.queue.db.sql<{ content: string; status: string }[]>`
      select content, status from messages join jobs on jobs.id = job_id`;
    expect(stored).toEqual({ content: "Predict churn", status: "cancelled" });
  },
);

test.each<[name: string, lastEventId: unknown, code: string, message: string]>([
  ["an unknown job", undefined, "NOT_FOUND", "Job not found"],
  ...["2147483648", "9999999999", 2_147_483_648, -1, 1.5, "x"].map((lastEventId): [string, unknown, string, string] => [
    `lastEventId ${lastEventId}`,
    lastEventId,
    "BAD_REQUEST",
    "lastEventId must be the number of an event",
  ]),
])("a stream of %s ends at once with the error", async (_name, lastEventId, code, message) => {
  const { body } = await api.app.inject(events({ jobId: ID, lastEventId }));
  expect(body).toContain("event: serialized-error");
  expect(body).toContain(`"code":"${code}"`);
  expect(body).toContain(`"message":"${message}"`);
});
