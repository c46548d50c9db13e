import { getThread, submitTurn } from "#conversation";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { offerGraphs } from "../../test/offer-graphs.ts";
import { startModelServer } from "../../test/model-server.ts";
import { openTurns } from "../../test/turns.ts";
import { startWorkerProcess } from "../../test/worker-process.ts";

// Several processes start, one after the other.
vi.setConfig({ testTimeout: 120_000 });

const CREW = fileURLToPath(new URL("../../test/graphs/crew.json", import.meta.url));
const REPLY = "1 asked: plan, work 1, work 2, work 3, draft, review";
const ONCE = { plan: 1, "work 1": 1, "work 2": 1, "work 3": 1, draft: 1, review: 1, say: 1 };
const ownerId = "local";
let turns: Awaited<ReturnType<typeof openTurns>>;
let stops: (() => void)[] = [];

beforeAll(async () => {
  turns = await openTurns();
  await turns.db.sql`create table node_runs (name text not null)`;
});
beforeEach(async () => {
  await turns.clear();
  await turns.db.sql`truncate node_runs`;
  await offerGraphs(turns.db.sql, ["crew"]);
});
afterEach(() => {
  for (const stop of stops) stop();
  stops = [];
});
afterAll(async () => turns.close());

const startProcess = (settings: Record<string, string> = {}) => {
  const started = startWorkerProcess({ DATABASE_URL: turns.url, LANGGRAPH_CONFIG: CREW, ...settings });
  stops.push(() => started.child.kill("SIGKILL"));
  return started;
};
const submit = async (graph?: string) =>
  turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "Go", graph }));
const nodeRuns = async () => {
  const rows = await turns.db.sql<{ name: string; times: number }[]>`
    select name, count(*)::int as times from node_runs where name not in ('held', 'let go') group by name`;
  return Object.fromEntries(rows.map(({ name, times }) => [name, times]));
};
const held = async () => {
  await expect
    .poll(async () => (await turns.db.sql`select 1 from node_runs where name = 'held'`).length, { timeout: 60_000 })
    .toBe(1);
};

test.each(["plan", "work 3", "review", "say"])(
  "a turn that was killed in %s resumes there in another process: no other node runs again, and the reply is the same",
  async (node) => {
    const { jobId, threadId } = await submit("crew");
    expect(await startProcess({ KILL_IN: node }).ended).toEqual([null, "SIGKILL"]);
    startProcess();
    const job = await turns.reaches(jobId, "completed");
    expect(job).toMatchObject({ reply: REPLY, retryCount: 0, crashCount: 1, attempt: 2 });
    expect(await nodeRuns()).toEqual({ ...ONCE, [node]: 2 });
    expect((await getThread(turns.db.sql, { ownerId, threadId })).messages).toHaveLength(2);
  },
);

test("SIGTERM stops a turn after its current step, also within a subgraph; another process runs the rest", async () => {
  const { jobId } = await submit("crew");
  const { child, ended } = startProcess({ HOLD_IN: "draft" });
  await held();
  child.kill("SIGTERM");
  await expect
    .poll(async () => turns.db.sql<{ state: string }[]>`select state from workers where pid = ${child.pid ?? 0}`)
    .toMatchObject([{ state: "draining" }]);
  await turns.db.sql`insert into node_runs (name) values ('let go')`;
  expect(await ended).toEqual([0, null]);
  expect(await nodeRuns()).toEqual({ plan: 1, "work 1": 1, "work 2": 1, "work 3": 1, draft: 1 });
  expect(await turns.reaches(jobId, "queued")).toMatchObject({ retryCount: 0, attempts: [{ outcome: "released" }] });
  startProcess();
  expect(await turns.reaches(jobId, "completed")).toMatchObject({ reply: REPLY, retryCount: 0, attempt: 2 });
  expect(await nodeRuns()).toEqual(ONCE);
});

test("a node that outlasts the grace period is abandoned: the turn is released at once, and only that node runs again", async () => {
  const { jobId } = await submit("crew");
  const { child, ended } = startProcess({ HOLD_IN: "review", SHUTDOWN_GRACE_MS: "200" });
  await held();
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  startProcess();
  expect(await turns.reaches(jobId, "completed")).toMatchObject({ reply: REPLY, retryCount: 0, attempt: 2 });
  expect(await nodeRuns()).toEqual({ ...ONCE, review: 2 });
});

test("a model call that outlasts the grace period is aborted, and another process makes it again", async () => {
  const server = await startModelServer("openai");
  try {
    server.behave({ kind: "hang", afterFirst: true });
    const settings = { MODEL: "openai:m", OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "k" };
    const asked = server.nextRequest();
    const { jobId } = await submit();
    const { child, ended } = startProcess({ ...settings, SHUTDOWN_GRACE_MS: "200" });
    await asked;
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    expect(await turns.reaches(jobId, "queued")).toMatchObject({ retryCount: 0, attempts: [{ outcome: "released" }] });
    server.behave({ kind: "answer", texts: ["The ", "answer."] });
    startProcess(settings);
    expect(await turns.reaches(jobId, "completed")).toMatchObject({ reply: "The answer.", retryCount: 0 });
  } finally {
    await server.close();
  }
});
