import { graphJobType, listGraphs, submitTurn } from "#conversation";
import { InvalidJobError } from "#queue";
import type { ClaimedJob, Database } from "#queue";
import { enqueue } from "#queue/enqueue";
import { listWorkers } from "#queue/fleet";
import { getJob } from "#queue/read";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openTurns } from "../../../test/turns.ts";
import { defineJob } from "../define-job.ts";
import type { JobHandler } from "../define-job.ts";
import { refuse } from "../claim/refuse.ts";

const ownerId = "local";
let turns: Awaited<ReturnType<typeof openTurns>>;

beforeAll(async () => {
  turns = await openTurns();
});
beforeEach(async () => turns.clear());
afterEach(async () => turns.stopWorkers());
afterAll(async () => turns.close());

const handler = (type: string): JobHandler =>
  defineJob({ type, payload: z.looseObject({}), run: async () => ({ result: "ran" }) });
const add = async (jobType: string) =>
  (await turns.db.transaction(async (tx) => enqueue(tx, { ownerId, jobType, payload: {} }))).jobId;
const submit = async (graph: string) =>
  turns.db.transaction(async (tx) => submitTurn(tx, { ownerId, content: "hello", graph }));
const read = async (jobId: string) => getJob(turns.db.sql, { ownerId, jobId });
const offered = async () =>
  (await listGraphs(turns.db.sql)).map(({ name, error, description }) => [name, error ?? description]);
/** Sets the last heartbeat and the state of the workers that offer these graphs. */
const lastSeen = async (ago: string, state: string, ...names: string[]) => {
  const changed = await turns.db.sql`
    update workers set heartbeat_at = clock_timestamp() - ${ago}::interval, state = ${state}
    where id = any(${names.map((name) => `offers-${name}`)}::text[])`;
  expect(changed.count).toBe(names.length);
};

test("a job of a type that the old worker does not know waits for the new worker without using a retry", async () => {
  const old = await turns.startWorker([handler("old")]);
  await offerGraphs(turns.db.sql, ["new"]);
  const jobId = await add("graph:new");
  await expect.poll(async () => (await read(jobId)).attempts.length, { timeout: 15_000 }).toBeGreaterThan(1);
  const waiting = await read(jobId);
  expect(waiting).toMatchObject({ error: null, retryCount: 0 });
  expect(waiting.attempts).toContainEqual(
    expect.objectContaining({
      attempt: 1,
      workerId: old.workerId,
      outcome: "released",
      errorMessage: 'This worker does not run "graph:new", but another does',
    }),
  );
  await turns.startWorker([handler("graph:new")]);
  await old.stop();
  expect(await turns.reaches(jobId, "completed")).toMatchObject({ result: "ran", retryCount: 0 });
});

test.each<[string, string, string, object]>([
  ["may come back", "9 minutes", "stopped", { status: "queued", retryCount: 0 }],
  ["was lost for long", "11 minutes", "active", { status: "failed", retryCount: 0, attempt: 1 }],
])("when the worker that ran a job's type %s, the job is kept or fails for good", async (_name, ago, state, ended) => {
  await offerGraphs(turns.db.sql, ["gone"]);
  await lastSeen(ago, state, "gone");
  const jobId = await add("graph:gone");
  await turns.startWorker([handler("old")]);
  // A released job may be claimed again at any time: wait until it is queued after an attempt.
  const attempted = {
    attempts: expect.arrayContaining([expect.objectContaining({ outcome: expect.any(String) as string })]) as unknown,
  };
  await expect
    .poll(async () => read(jobId), { timeout: 15_000, interval: 20 })
    .toMatchObject({ ...ended, ...attempted });
});

test("a job fails when other workers could not load its type", async () => {
  await offerGraphs(turns.db.sql, ["torn"], { error: "it has no export" });
  const jobId = await add("graph:torn");
  await turns.startWorker([handler("old")]);
  expect((await turns.reaches(jobId, "failed")).error).toBe('Unknown job type "graph:torn": this worker runs old');
});

test("a job that is released unrun waits longer each time, and is also released in doubt", async () => {
  const away = { call: async () => Promise.reject(new Error("away")) } as unknown as Database;
  const refusal = async (attempt: number, retryCount = 0) =>
    refuse({ jobType: "t", attempt, retryCount, crashCount: 0 } as ClaimedJob, { db: away, handlers: new Map() });
  for (const [attempt, mostMs] of [
    [1, 200],
    [3, 800],
    [6, 5_000],
    [2_000, 5_000],
  ] as const) {
    const { delayMs } = (await refusal(attempt)) as unknown as { delayMs: number };
    expect(delayMs).toBeGreaterThanOrEqual(mostMs / 2);
    expect(delayMs).toBeLessThanOrEqual(mostMs);
  }
});

test("a worker is in the registry with its job types before it reports ready", async () => {
  const graph = { ...handler(graphJobType("mine")), description: "Does mine" };
  const { workerId } = await turns.startWorker([handler("old"), graph]);
  expect(await listWorkers(turns.db.sql)).toMatchObject([{ workerId, jobTypes: ["old", "graph:mine"] }]);
  expect(await offered()).toEqual([["mine", "Does mine"]]);
});

test("the graphs of all live workers are offered, and no others", async () => {
  await offerGraphs(turns.db.sql, ["a"], { description: "of one" });
  await offerGraphs(turns.db.sql, ["b"], { description: "of another" });
  await offerGraphs(turns.db.sql, ["lost"]);
  await offerGraphs(turns.db.sql, ["stopped"]);
  await lastSeen("61 seconds", "active", "lost");
  await lastSeen("1 second", "stopped", "stopped");
  expect(await offered()).toEqual([
    ["a", "of one"],
    ["b", "of another"],
  ]);
  await submit("a");
  for (const gone of ["lost", "stopped"]) {
    await expect(submit(gone)).rejects.toThrow(InvalidJobError);
    await expect(submit(gone)).rejects.toThrow(/is unknown: there are a, b/);
  }
});

test("while no worker runs, the graphs of the last one are still offered", async () => {
  await offerGraphs(turns.db.sql, ["long-gone"]);
  await offerGraphs(turns.db.sql, ["last"]);
  await lastSeen("2 hours", "stopped", "long-gone");
  await lastSeen("1 hour", "stopped", "last");
  expect(await offered()).toEqual([["last", null]]);
  expect(await submit("last")).toMatchObject({ status: "queued" });
  await offerGraphs(turns.db.sql, ["next"]);
  expect(await offered()).toEqual([["next", null]]);
});

test("a graph that one worker cannot load is offered while another can", async () => {
  await offerGraphs(turns.db.sql, ["both", "fine"], { description: "works" });
  await offerGraphs(turns.db.sql, ["both"], { error: "it has no export" });
  expect(await offered()).toEqual([
    ["both", "works"],
    ["fine", "works"],
  ]);
  await lastSeen("1 minute", "stopped", "both-fine");
  expect(await offered()).toEqual([["both", "it has no export"]]);
  await expect(submit("both")).rejects.toThrow(/cannot be run: it has no export/);
});
