import type { Database, NewJob } from "#queue";
import { enqueue, enqueueMany } from "#queue/enqueue";
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { Client } from "./client.ts";
import { retryTransaction, OWNER_ID } from "../retry-transaction.ts";
import { GRAPH_NAMES } from "../jobs/graphs.ts";
import type { GraphName } from "../jobs/graphs.ts";
import { makeLimitedBatch, makeUnlimitedBatch, makeMixedBatch } from "./job-batches.ts";
import { CANCELLED_PROMPT } from "../load-facts.ts";
import type { HistoryWriter } from "../history.ts";
import { Random } from "../random.ts";

const CLIENTS = 4;
const MAX_UNFINISHED = 150;
const MAX_TURNS = 5;
const PROMPTS = [
  "Detect card fraud at 2,000 transactions per second within 50 ms",
  "Make it cheaper, under $3,000 a month",
  "What if it has to run on our own servers?",
  "What are the risks?",
  "Forecast demand for 20,000 products, nightly",
  "Why not a neural network?",
];

export interface LoadOptions {
  db: Database;
  /** The URL of the API. */
  url: string;
  history: HistoryWriter;
  seed: number;
  /** The load does not end before this many jobs were acknowledged. */
  minJobs: number;
}

/** The state that the clients share. */
interface Shared {
  /** The jobs outside conversations, oldest first. Clients cancel and retry only these. */
  plain: string[];
  /** All jobs, oldest first. */
  all: string[];
  plainThreads: readonly string[];
  /** The current conversations by graph. A new one replaces a conversation after `MAX_TURNS`. */
  threads: ReadonlyMap<GraphName | null, { id: string; turns: number }[]>;
  isOverloaded: boolean;
}

interface ClientState {
  db: Database;
  client: Client;
  random: Random;
  shared: Shared;
}

/** Runs concurrent clients that enqueue, cancel, retry and read jobs, until the signal aborts and `minJobs` are acknowledged. */
export async function makeLoad({ db, url, history, seed, minJobs }: LoadOptions, signal: AbortSignal): Promise<void> {
  const shared: Shared = {
    plain: [],
    all: [],
    plainThreads: Array.from({ length: 12 }, () => randomUUID()),
    threads: new Map([null, ...GRAPH_NAMES].map((graph) => [graph, Array.from({ length: 12 }, newThread)])),
    isOverloaded: false,
  };
  const isOver = () => signal.aborted && shared.all.length >= minJobs;
  const clients = Array.from({ length: CLIENTS }, (_, index): ClientState => {
    const client = new Client({ name: `client ${index + 1}`, url, history });
    return { db, client, random: new Random(seed * CLIENTS + index), shared };
  });
  await Promise.all([watchBacklog(db, shared, isOver), ...clients.map(async (state) => act(state, isOver))]);
}

function newThread() {
  return { id: randomUUID(), turns: 0 };
}

async function act(state: ClientState, isOver: () => boolean): Promise<void> {
  const { random, shared } = state;
  // Even the shortest run must reach a limit and a cancel.
  await enqueueBatch(state, makeLimitedBatch(random), { cancels: true });
  while (!isOver()) {
    const draw = random.next();
    if (draw < 0.2) await readStatuses(state);
    else if (draw < 0.32) await cancelOrRetry(state);
    // A longer backlog would only slow down the run.
    else if (shared.isOverloaded) await wait(100);
    else if (draw < 0.42) await submit(state, null);
    else if (draw < 0.49) await submit(state, "questions");
    else if (draw < 0.72) await submit(state, "fan-out");
    else if (draw < 0.76) await submitAndCancel(state);
    else if (draw < 0.87) await enqueueRandomBatch(state);
    else await enqueueOne(state);
    await wait(60 + random.below(180));
  }
}

/** Keeps `isOverloaded` up to date. */
async function watchBacklog(db: Database, shared: Shared, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const [row] = await retryTransaction(
      db,
      async (tx) =>
        tx<{ left: number }[]>`select count(*)::int as left from jobs where status in ('queued', 'running', 'waiting')`,
    );
    shared.isOverloaded = (row?.left ?? 0) >= MAX_UNFINISHED;
    await wait(200);
  }
}

async function submit({ client, random, shared }: ClientState, graph: GraphName | null): Promise<void> {
  const threads = shared.threads.get(graph) ?? [];
  const index = random.below(threads.length);
  const thread = threads[index] ?? newThread();
  const turn = { threadId: thread.id, graph, content: random.pick(PROMPTS) ?? "", key: randomUUID() };
  thread.turns += 1;
  // Bounded: a thread runs one job at a time, so long conversations would leave the workers idle.
  if (thread.turns >= MAX_TURNS) threads[index] = newThread();
  const jobId = await client.submit(turn);
  if (jobId !== undefined) shared.all.push(jobId);
}

/** Submits a turn and cancels it while it is queued, running or waiting. */
async function submitAndCancel({ client, random }: ClientState): Promise<void> {
  const turn = { threadId: randomUUID(), graph: "questions", content: CANCELLED_PROMPT, key: randomUUID() } as const;
  const jobId = await client.submit(turn);
  await wait(random.below(400));
  if (jobId !== undefined) await client.cancel(jobId);
}

/** Reads the status of up to three recent jobs concurrently. */
async function readStatuses({ client, random, shared }: ClientState): Promise<void> {
  const latest = shared.all.slice(-60);
  const asked = new Set(Array.from({ length: Math.min(3, latest.length) }, () => random.pick(latest) ?? ""));
  await Promise.all([...asked].map(async (jobId) => client.status(jobId)));
}

/** Cancels or retries one recent job outside conversations. */
async function cancelOrRetry({ client, random, shared }: ClientState): Promise<void> {
  const draw = random.next();
  const status = draw < 0.4 ? "running" : draw < 0.7 ? "failed" : draw < 0.8 ? "cancelled" : undefined;
  if (status === undefined) {
    const jobId = random.pick(shared.plain.slice(-30));
    if (jobId !== undefined) await client.cancel(jobId);
    return;
  }
  const found = await client.api.jobs.list.query({ status, limit: 50 }).catch(() => ({ jobs: [] }));
  const job = random.pick(found.jobs.filter(({ decisionSetId }) => decisionSetId === null));
  if (job) await (status === "running" ? client.cancel(job.jobId) : client.retry(job.jobId));
}

function add(shared: Shared, jobIds: readonly string[]): void {
  shared.plain.push(...jobIds);
  shared.all.push(...jobIds);
}

async function enqueueRandomBatch(state: ClientState): Promise<void> {
  const { random, shared } = state;
  const draw = random.next();
  const jobs =
    draw < 0.15
      ? makeLimitedBatch(random)
      : draw < 0.3
        ? makeUnlimitedBatch(random)
        : makeMixedBatch(random, shared.plainThreads);
  await enqueueBatch(state, jobs, { cancels: random.next() < 0.5 });
}

/** Enqueues a batch in SQL. The API has no procedure for custom job types. */
async function enqueueBatch(
  { db, client, random, shared }: ClientState,
  jobs: readonly NewJob[],
  { cancels }: { cancels: boolean },
): Promise<void> {
  const added = await client.send({ verb: "enqueue", jobIds: jobs.map((job) => job.jobId ?? "") }, async () =>
    db.transaction(async (tx) => enqueueMany(tx, jobs)),
  );
  add(shared, added?.map((job) => job.jobId) ?? []);
  // The job is still queued, or has just started.
  const job = cancels ? random.pick(added ?? []) : undefined;
  if (job) await client.cancel(job.jobId);
}

/** Enqueues one job without an idempotency key. The request is not repeated, because that would enqueue a second job. */
async function enqueueOne({ db, client, random, shared }: ClientState): Promise<void> {
  const mark = randomUUID();
  const job = { ownerId: OWNER_ID, jobType: "short", payload: { workMs: random.below(5), mark } };
  const sent = await client.sendOnce(
    { verb: "enqueue", jobIds: [], mark },
    async () => db.call(async (sql) => enqueue(sql, job)),
    ({ jobId }) => ({ jobIds: [jobId] }),
  );
  if (sent.outcome === "answered") add(shared, [sent.answer.jobId]);
}
