import { enqueue } from "#queue/enqueue";
import { randomUUID } from "node:crypto";
import type { FastifyInstance, InjectOptions } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
let app: FastifyInstance;
beforeAll(async () => {
  queue = await openQueue();
  app = await buildApp({ db: queue.db, logLevel: "silent" });
});
beforeEach(async () => queue.clear());
afterAll(async () => {
  await app.close();
  await queue.close();
});

interface Sent {
  content?: string;
  threadId?: string;
  graph?: string;
  [other: string]: unknown;
}
const send = async (request: InjectOptions, idOf: (body: string) => string) => {
  const { statusCode, body } = await app.inject(request);
  return statusCode === 200 ? idOf(body) : statusCode;
};
/** Each face's submit with the key "k": the job's id, or the status of a refusal. */
const FACES = {
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
const faces = Object.entries(FACES);
const countJobs = async () => {
  const [row] = await queue.db.sql<{ count: number }[]>`select count(*)::int as count from jobs`;
  return row?.count;
};

test.each(faces)(
  "%s: the same key with other content is a conflict, with the same content it is the job",
  async (_, submit) => {
    const threadId = randomUUID();
    await offerGraphs(queue.db.sql, ["steps"]);
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
  "tRPC: a submit with %o has other content",
  async (more) => {
    await FACES.tRPC({});
    expect(await FACES.tRPC(more)).toBe(409);
  },
);

test("what seeds a thread is content, what says when and how often to run is not", async () => {
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
  expect((await app.inject(history("Be brief"))).statusCode).toBe(200);
  expect((await app.inject(history("Be brief"))).statusCode).toBe(200);
  expect((await app.inject(history("Be long"))).statusCode).toBe(409);
  await queue.clear();
  const more = { priority: 3, maxRetries: 1, multitaskStrategy: "reject" };
  expect(await FACES.tRPC(more)).toBe(await FACES.tRPC({}));
});

test("a job of one face is found by the other", async () => {
  expect(await FACES.REST({})).toBe(await FACES.tRPC({}));
  expect(await FACES.REST({ content: "Detect fraud" })).toBe(409);
});

test("of two contents that are sent at once, twenty times each, one is the job", async () => {
  const contents = ["one", "two"];
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (__, n) => (n % 4 < 2 ? FACES.tRPC : FACES.REST)({ content: contents[n % 2]! })),
  );
  const ids = answers.filter((answer) => typeof answer === "string");
  expect(ids).toHaveLength(20);
  expect(new Set(ids).size).toBe(1);
  expect(answers.filter((answer) => answer === 409)).toHaveLength(20);
  expect(await countJobs()).toBe(1);
});

test("a job that has ended, and one that was edited, is known by what it was first asked", async () => {
  const jobId = (await FACES.tRPC({})) as string;
  await queue.failOne(await queue.takeOne(), true);
  expect(await FACES.tRPC({})).toBe(jobId);
  expect(await FACES.tRPC({ content: "Detect fraud" })).toBe(409);
  const { payload } = await queue.read(jobId);
  const edited = { jobId, payload: { ...(payload as object), content: "Detect fraud" } };
  const retried = await app.inject({ method: "POST", url: "/api/trpc/jobs.retry", payload: edited });
  expect(retried.statusCode, retried.body).toBe(200);
  expect(await FACES.tRPC({})).toBe(jobId);
  expect(await FACES.tRPC({ content: "Detect fraud" })).toBe(409);
});

test("a chat turn that was stored before contents were compared is found by its key alone", async () => {
  const jobId = await FACES.tRPC({});
  await queue.db.sql`update jobs set request_hash = null`;
  expect(await FACES.tRPC({ content: "Detect fraud" })).toBe(jobId);
});

test("the key of a job that is no chat turn is a conflict on both faces", async () => {
  await queue.db.transaction(async (tx) =>
    enqueue(tx, { ownerId: "local", jobType: "t", payload: {}, idempotencyKey: "k" }),
  );
  for (const [, submit] of faces) expect(await submit({})).toBe(409);
});

test("REST runs the graph that it names, and refuses one that is not there by name", async () => {
  await offerGraphs(queue.db.sql, ["steps"]);
  const jobId = (await FACES.REST({ graph: "steps" })) as string;
  expect((await queue.read(jobId)).jobType).toBe("graph:steps");
  await queue.clear();
  const payload = { messages: [{ role: "user", content: "x" }], graph: "nowhere" };
  const refused = await app.inject({ method: "POST", url: "/api/chat", payload });
  expect(refused.statusCode).toBe(400);
  expect(refused.json<{ detail: string }>().detail).toMatch(/^graph "nowhere" is unknown/);
});
