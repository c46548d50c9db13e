import { enqueue } from "#queue/enqueue";
import { randomUUID } from "node:crypto";
import type { InjectOptions } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openApp } from "../../../test/open-app.ts";

let api: Awaited<ReturnType<typeof openApp>>;
beforeAll(async () => {
  api = await openApp();
});
beforeEach(async () => api.queue.clear());
afterAll(async () => api.close());

interface Sent {
  content?: string;
  threadId?: string;
  graph?: string;
  [other: string]: unknown;
}
const send = async (request: InjectOptions, idOf: (body: string) => string) => {
  const { statusCode, body } = await api.app.inject(request);
  return statusCode === 200 ? idOf(body) : statusCode;
};
/** Submits with the key "k" over each API. Returns the job id, or the status of a refusal. */
const APIS = {
  tRPC: async ({ content = "Predict churn", ...more }: Sent) =>
    send(
      { method: "POST", url: "/api/trpc/chat.submit", payload: { content, idempotencyKey: "k", ...more } },
      (body) => (JSON.parse(body) as { result: { data: { jobId: string } } }).result.data.jobId,
    ),
  REST: async ({ content = "Predict churn", threadId, ...more }: Sent) =>
    send(
      {
        method: "POST",
        url: "/api/chat/async",
        headers: { "idempotency-key": "k" },
        payload: {
          messages: [{ role: "user", content }],
          ...(threadId !== undefined && { thread_id: threadId }),
          ...more,
        },
      },
      (body) => (JSON.parse(body) as { job_id: string }).job_id,
    ),
};
const apis = Object.entries(APIS);
const countJobs = async () => {
  const [row] = await api.queue.db.sql<{ count: number }[]>`select count(*)::int as count from jobs`;
  return row?.count;
};

test.each(apis)(
  "%s: the same key returns the job for the same content, and a conflict for other content",
  async (_, submit) => {
    const threadId = randomUUID();
    await offerGraphs(api.queue.db.sql, ["steps"]);
    const jobId = await submit({ threadId });
    expect(jobId).toBeTypeOf("string");
    expect(await submit({ threadId: threadId.toUpperCase() })).toBe(jobId);
    for (const other of [
      { content: "Detect fraud", threadId },
      {},
      { threadId: randomUUID() },
      { threadId, graph: "steps" },
    ])
      expect(await submit(other)).toBe(409);
    expect(await countJobs()).toBe(1);
  },
);

test.each([{ jobType: "other" }, { parentId: randomUUID() }, { budget: { tokens: 5 } }, { budget: { costUsd: 1 } }])(
  "tRPC: %o changes the content",
  async (more) => {
    await APIS.tRPC({});
    expect(await APIS.tRPC(more)).toBe(409);
  },
);

test("the history is part of the content; priority, retries and strategy are not", async () => {
  const history = (content: string) => ({
    method: "POST" as const,
    url: "/api/chat/async",
    headers: { "idempotency-key": "k" },
    payload: {
      messages: [
        { role: "system", content },
        { role: "user", content: "Predict churn" },
      ],
    },
  });
  expect((await api.app.inject(history("Be brief"))).statusCode).toBe(200);
  expect((await api.app.inject(history("Be brief"))).statusCode).toBe(200);
  expect((await api.app.inject(history("Be long"))).statusCode).toBe(409);
  await api.queue.clear();
  const more = { priority: 3, maxRetries: 1, multitaskStrategy: "reject" };
  expect(await APIS.tRPC(more)).toBe(await APIS.tRPC({}));
});

test("a submit over one API finds the job of the other API", async () => {
  expect(await APIS.REST({})).toBe(await APIS.tRPC({}));
  expect(await APIS.REST({ content: "Detect fraud" })).toBe(409);
});

test("of two contents sent concurrently, 20 times each, exactly one becomes the job", async () => {
  const contents = ["one", "two"];
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (__, n) => (n % 4 < 2 ? APIS.tRPC : APIS.REST)({ content: contents[n % 2]! })),
  );
  const ids = answers.filter((answer) => typeof answer === "string");
  expect(ids).toHaveLength(20);
  expect(new Set(ids).size).toBe(1);
  expect(answers.filter((answer) => answer === 409)).toHaveLength(20);
  expect(await countJobs()).toBe(1);
});

test("an ended job and an edited job keep their first content for the comparison", async () => {
  const jobId = (await APIS.tRPC({})) as string;
  await api.queue.failOne(await api.queue.takeOne(), true);
  expect(await APIS.tRPC({})).toBe(jobId);
  expect(await APIS.tRPC({ content: "Detect fraud" })).toBe(409);
  const { payload } = await api.queue.read(jobId);
  const edited = { jobId, payload: { ...(payload as object), content: "Detect fraud" } };
  const retried = await api.app.inject({ method: "POST", url: "/api/trpc/jobs.retry", payload: edited });
  expect(retried.statusCode, retried.body).toBe(200);
  expect(await APIS.tRPC({})).toBe(jobId);
  expect(await APIS.tRPC({ content: "Detect fraud" })).toBe(409);
});

test("a turn without a stored content hash is found by its key alone", async () => {
  const jobId = await APIS.tRPC({});
  await api.queue.db.sql`update jobs set request_hash = null`;
  expect(await APIS.tRPC({ content: "Detect fraud" })).toBe(jobId);
});

test("both APIs answer conflict to the key of a job that is not a turn", async () => {
  await api.queue.db.transaction(async (tx) =>
    enqueue(tx, { ownerId: "local", jobType: "t", payload: {}, idempotencyKey: "k" }),
  );
  for (const [, submit] of apis) expect(await submit({})).toBe(409);
});

test("REST runs the named graph, and names an unknown graph in its refusal", async () => {
  await offerGraphs(api.queue.db.sql, ["steps"]);
  const jobId = (await APIS.REST({ graph: "steps" })) as string;
  expect((await api.queue.read(jobId)).jobType).toBe("graph:steps");
  await api.queue.clear();
  const payload = { messages: [{ role: "user", content: "x" }], graph: "nowhere" };
  const refused = await api.app.inject({ method: "POST", url: "/api/chat", payload });
  expect(refused.statusCode).toBe(400);
  expect(refused.json<{ detail: string }>().detail).toMatch(/^graph "nowhere" is unknown/);
});
