import { park } from "#queue/settle";
import type { NewInterrupt } from "#queue/settle";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { JobStatusView, Submitted } from "#shared/contracts";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openApp } from "../../../test/open-app.ts";

let api: Awaited<ReturnType<typeof openApp>>;
beforeAll(async () => {
  api = await openApp();
});
beforeEach(async () => api.queue.clear());
afterAll(async () => api.close());

const readStatus = async (jobId: string) => (await api.query("jobs.status", { jobId })).data as JobStatusView;
const question: NewInterrupt = {
  id: "q1",
  kind: "approval",
  value: { message: "Order?" },
  schema: { type: "object", properties: { approved: { type: "boolean" } }, required: ["approved"] },
  deadlineMs: 60_000,
};
const parkJob = async (asked = question): Promise<string> => {
  await api.mutate("chat.submit", { content: "Order it" });
  const job = await api.queue.takeOne();
  await api.queue.db.transaction(async (tx) => park(tx, job, [asked]));
  return job.jobId;
};

test("jobs.status shows the question of a waiting job, and chat.answer continues the job", async () => {
  const jobId = await parkJob();
  const waiting = await readStatus(jobId);
  expect(waiting).toMatchObject({ status: "waiting", workerId: null, leaseExpiresAt: null, retryCount: 0 });
  expect(waiting.interrupt).toMatchObject({
    id: "q1",
    kind: "approval",
    value: question.value,
    schema: question.schema,
  });
  expect(waiting.interrupt?.deadlineAt).toMatch(/^\d{4}-.*Z$/);
  expect(waiting.interrupts).toHaveLength(1);
  const answered = await api.mutate("chat.answer", { jobId, interruptId: "q1", answers: { approved: true } });
  expect(answered).toMatchObject({ status: 200, data: { jobId, status: "queued" } });
  expect(await readStatus(jobId)).toMatchObject({ status: "queued", interrupt: null });
});

test.each<[string, object, number, RegExp]>([
  [
    "an answer of the wrong type",
    { interruptId: "q1", answers: { approved: "yes" } },
    400,
    /answers\.approved must be boolean/,
  ],
  ["an answer without a property", { interruptId: "q1", answers: {} }, 400, /must have required property 'approved'/],
  ["an unknown interrupt", { interruptId: "q2", answers: {} }, 404, /"q2" not found/],
  ["no answer", { interruptId: "q1" }, 400, /answers must be given/],
  ["answers that are not an object", { answers: "yes" }, 400, /answers must be an object/],
  ["an empty interruptId", { interruptId: "", answers: {} }, 400, /interruptId must not be empty/],
])("%s is refused, and the job stays waiting", async (_name, input, status, message) => {
  const jobId = await parkJob();
  const refused = await api.mutate("chat.answer", { jobId, ...input });
  expect([refused.status, refused.message]).toEqual([status, expect.stringMatching(message)]);
  expect((await readStatus(jobId)).interrupts).toHaveLength(1);
});

test("an expensive schema pattern delays no other caller, and its answer is refused", async () => {
  const jobId = await parkJob({ ...question, schema: { type: "string", pattern: "^(a+)+$" } });
  const order: string[] = [];
  const answered = api.mutate("chat.answer", { jobId, interruptId: "q1", answers: `${"a".repeat(40)}!` });
  const others = Array.from({ length: 5 }, async () => {
    expect((await api.app.inject({ url: "/healthz" })).statusCode).toBe(200);
    order.push("other");
  });
  const refused = await answered;
  order.push("answer");
  await Promise.all(others);
  expect(order.at(-1)).toBe("answer");
  expect(refused.status).toBe(400);
  expect(refused.message).toContain("could not be checked within 250 ms: the schema of interrupt q1 is too expensive");
  expect((await api.mutate("chat.answer", { jobId, interruptId: "q1", answers: "aaa" })).status).toBe(200);
});

test("an answer is refused when its question changes during the check", async () => {
  const jobId = await parkJob();
  const asked = await api.queue.db.sql`select 1 from job_interrupts where job_id = ${jobId}`;
  expect(asked).toHaveLength(1);
  const answered = api.mutate("chat.answer", { jobId, interruptId: "q1", answers: { approved: true } });
  await api.queue.db.sql`update job_interrupts set schema = '{"type": "string"}' where job_id = ${jobId}`;
  const { status, message } = await answered;
  // 400: the check read the new schema. 409: the schema changed during the check.
  expect([400, 409]).toContain(status);
  expect(message).toMatch(/must be string|was asked anew meanwhile: answer again/);
});

test("a second answer and an answer to an ended job are conflicts; an unknown job is not found", async () => {
  const jobId = await parkJob();
  const answer = { jobId, interruptId: "q1", answers: { approved: false } };
  expect((await api.mutate("chat.answer", answer)).status).toBe(200);
  expect(await api.mutate("chat.answer", answer)).toMatchObject({
    status: 409,
    message: "Interrupt q1 has been answered already",
  });
  await api.mutate("jobs.cancel", { jobId });
  expect((await api.mutate("chat.answer", answer)).status).toBe(409);
  const unknown = { ...answer, jobId: "00000000-0000-7000-8000-000000000000" };
  expect((await api.mutate("chat.answer", unknown)).status).toBe(404);
});

test.each<[string, object, RegExp]>([
  ["an unknown graph", { graph: "nothing" }, /graph "nothing" is unknown: there are good/],
  ["a broken graph", { graph: "broken" }, /graph "broken" cannot be run: it has no export/],
  [
    "an unknown strategy",
    { multitaskStrategy: "hurry" },
    /multitaskStrategy must be enqueue, reject, interrupt or rollback/,
  ],
  ["a parentId that is not a UUID", { parentId: "x" }, /parentId must be a UUID/],
  ["an unknown parentId", { parentId: "00000000-0000-7000-8000-000000000000" }, /is no message of this thread/],
  ["a budget of 0 tokens", { budget: { tokens: 0 } }, /budget\.tokens must be at least 1/],
  ["a fractional budget", { budget: { tokens: 1.5 } }, /budget\.tokens must be a whole number/],
  ["a negative cost", { budget: { costUsd: -1 } }, /budget\.costUsd must be above 0/],
])("%s is refused, and nothing is stored", async (_name, input, message) => {
  await offerGraphs(api.queue.db.sql, ["good"]);
  await offerGraphs(api.queue.db.sql, ["broken"], { error: "it has no export" });
  const refused = await api.mutate("chat.submit", { content: "hello", ...input });
  expect([refused.status, refused.message]).toEqual([400, expect.stringMatching(message)]);
  expect(await api.queue.db.sql`select 1 from jobs union all select 1 from decision_sets`).toHaveLength(0);
});

test("a thread keeps its first graph and shows its name", async () => {
  await offerGraphs(api.queue.db.sql, ["good"], { description: "Does good" });
  expect(await api.query("graphs.list")).toMatchObject({
    data: { graphs: [{ name: "good", description: "Does good", error: null }] },
  });
  const first = await api.mutate("chat.submit", { content: "hello", graph: "good" });
  const { threadId } = first.data as Submitted;
  const next = await api.mutate("chat.submit", { content: "again", threadId });
  expect((await readStatus((next.data as Submitted).jobId)).jobType).toBe("graph:good");
  expect(await api.query("threads.get", { threadId })).toMatchObject({ data: { graph: "good" } });
});

test("a busy thread refuses a message with the strategy reject", async () => {
  const { data } = await api.mutate("chat.submit", { content: "hello" });
  const busy = await api.mutate("chat.submit", {
    content: "again",
    threadId: (data as Submitted).threadId,
    multitaskStrategy: "reject",
  });
  expect([busy.status, busy.message]).toEqual([409, expect.stringContaining("The thread is busy") as string]);
});
