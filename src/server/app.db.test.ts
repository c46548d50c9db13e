import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { openApp, trpcUrl } from "../../test/open-app.ts";

let api: Awaited<ReturnType<typeof openApp>>;
const lines: string[] = [];

beforeAll(async () => {
  api = await openApp({ logLevel: "info", logTo: { write: (line) => void lines.push(line) } });
});
beforeEach(async () => {
  lines.length = 0;
  await api.queue.clear();
});
afterAll(async () => api.close());

const submittedSchema = z.object({
  jobId: z.string(),
  threadId: z.string(),
  decisionSetId: z.string(),
  status: z.string(),
});
const trpcResult = z.object({ result: z.object({ data: z.unknown() }) });
const trpcError = z.object({ error: z.object({ message: z.string(), data: z.object({ code: z.string() }) }) });

const submit = async (input: object) =>
  api.app.inject({ method: "POST", url: "/api/trpc/chat.submit", payload: input as Record<string, unknown> });
const submitted = async (input: object) => {
  const response = await submit(input);
  expect(response.statusCode, response.body).toBe(200);
  return submittedSchema.parse(trpcResult.parse(response.json()).result.data);
};
const query = async (path: string, input?: unknown) => api.app.inject({ url: trpcUrl(path, input) });
const stored = async () => {
  const [row] = await api.queue.db.sql<{ count: number }[]>`
    select ((select count(*) from jobs) + (select count(*) from messages) + (select count(*) from decision_sets))::int as count`;
  return row?.count;
};

test("an answered submit is durable, and every API returns its job", async () => {
  const { jobId, threadId, decisionSetId, status } = await submitted({ content: "Predict churn", priority: 3 });
  expect(status).toBe("queued");
  expect(await stored()).toBe(3);
  const view = trpcResult.parse((await query("jobs.status", { jobId })).json()).result.data;
  expect(view).toMatchObject({ jobId, jobType: "ml_workflow", priority: 3, attempt: 0, maxRetries: 3, reply: null });
  const rest = await api.app.inject({ url: `/api/jobs/${jobId.toUpperCase()}/status` });
  expect(rest.json()).toMatchObject({
    job_id: jobId,
    thread_id: threadId,
    decision_set_id: decisionSetId,
    retry_count: 0,
  });
});

test("the log line of a submit names the job and its thread, and contains no content", async () => {
  const { jobId, threadId } = await submitted({ content: "a private matter" });
  const rest = await api.app.inject({
    method: "POST",
    url: "/api/chat/async",
    payload: { messages: [{ role: "user", content: "a private matter" }] },
  });
  const { job_id, thread_id } = z.object({ job_id: z.string(), thread_id: z.string() }).parse(rest.json());
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { process: "api", jobId, threadId, msg: "job submitted" },
    { process: "api", jobId: job_id, threadId: thread_id, msg: "job submitted" },
  ]);
  expect(lines.join("")).not.toContain("private");
});

test("20 concurrent submits with one key create one job; a submit after its end returns the same job", async () => {
  const input = { content: "once", idempotencyKey: "key-1" };
  const all = await Promise.all(Array.from({ length: 20 }, async () => submitted(input)));
  expect(new Set(all.map((one) => one.jobId)).size).toBe(1);
  expect(new Set(all.map((one) => one.threadId)).size).toBe(1);
  expect(await stored()).toBe(3);
  await api.queue.db.sql`update jobs set status = 'completed', completed_at = clock_timestamp()`;
  expect(await submitted(input)).toMatchObject({ jobId: all[0]?.jobId, status: "completed" });
  expect(await stored()).toBe(3);
});

test("a new thread keeps the history of a request; an existing thread ignores it", async () => {
  const threadId = randomUUID();
  const messages = [
    { role: "system", content: "Be brief" },
    { role: "user", content: "Predict churn" },
  ];
  for (const expected of [2, 3]) {
    await api.app.inject({ method: "POST", url: "/api/chat/async", payload: { messages, thread_id: threadId } });
    const [row] = await api.queue.db.sql<{ count: number }[]>`select count(*)::int as count from messages`;
    expect(row?.count).toBe(expected);
  }
});

test.each([
  ["jobs.status", { jobId: randomUUID() }, "Job not found"],
  ["jobs.get", { jobId: randomUUID() }, "Job not found"],
  ["threads.get", { threadId: randomUUID() }, "Thread not found"],
  ["decisionSets.get", { decisionSetId: randomUUID() }, "Decision set not found"],
  ["decisionSets.version", { decisionSetId: randomUUID(), version: 1 }, "Decision set not found"],
])("%s of an unknown id is NOT_FOUND", async (path, input, message) => {
  const response = await query(path, input);
  expect(response.statusCode).toBe(404);
  expect(trpcError.parse(response.json()).error).toMatchObject({ message, data: { code: "NOT_FOUND" } });
});

test("another owner's thread and job are not found", async () => {
  const { jobId, threadId } = await submitted({ content: "mine" });
  await api.queue.db.sql`update jobs set owner_id = 'other'`;
  await api.queue.db.sql`update decision_sets set owner_id = 'other'`;
  expect((await query("jobs.status", { jobId })).statusCode).toBe(404);
  expect((await query("threads.get", { threadId })).statusCode).toBe(404);
  expect((await submit({ content: "into it", threadId })).statusCode).toBe(404);
  expect(await stored()).toBe(3);
});

test("the bodies of 404 answers over HTTP", async () => {
  for (const id of [randomUUID(), "not-a-uuid"]) {
    const response = await api.app.inject({ url: `/api/jobs/${id}/status` });
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ detail: "Job not found" });
  }
  for (const url of ["/nothing", "/api/nothing", "/api/chat"]) {
    const response = await api.app.inject({ url });
    expect(response.statusCode).toBe(404);
    expect(response.json()).toEqual({ detail: "Not found" });
  }
});

test.each([
  ["a foreign Host", { host: "evil.example:3000" }],
  ["a Host that only begins with localhost", { host: "localhost.evil.example" }],
  ["a Host with a user part", { host: "localhost@evil.example" }],
  ["a foreign Origin", { host: "localhost:3000", origin: "https://evil.example" }],
  ["another port's Origin", { host: "localhost:3000", origin: "http://localhost:9999" }],
  ["the opaque Origin of a sandboxed frame", { host: "localhost:3000", origin: "null" }],
])("%s is refused before any change", async (_name, headers) => {
  for (const url of ["/api/trpc/chat.submit", "/api/chat/async"]) {
    const payload = { content: "x", messages: [{ role: "user", content: "x" }] };
    const response = await api.app.inject({ method: "POST", url, headers, payload });
    expect(response.statusCode).toBe(403);
    expect(z.object({ detail: z.string() }).parse(response.json()).detail).toMatch(/Host|Origin/);
  }
  expect(await stored()).toBe(0);
});

test.each(["localhost:3000", "127.0.0.1", "[::1]:3000"])("the local host name %s is accepted", async (host) => {
  const headers = { host, origin: `http://${host}` };
  expect((await api.app.inject({ url: "/healthz", headers })).statusCode).toBe(200);
});

test("healthz answers 200 without the tables; readyz answers 503", async () => {
  expect((await api.app.inject({ url: "/healthz" })).json()).toEqual({ status: "ok" });
  expect((await api.app.inject({ url: "/readyz" })).json()).toEqual({ status: "ready" });
  await api.queue.db.sql`alter table jobs rename to jobs_away`;
  try {
    const response = await api.app.inject({ url: "/readyz" });
    expect(response.statusCode).toBe(503);
    expect(response.headers["retry-after"]).toBe("2");
    expect((await api.app.inject({ url: "/healthz" })).statusCode).toBe(200);
    const broken = await query("jobs.counts");
    expect(broken.statusCode).toBe(500);
    expect(broken.body).not.toContain("relation");
    expect(lines.join("")).toContain("relation");
  } finally {
    await api.queue.db.sql`alter table jobs_away rename to jobs`;
  }
});
