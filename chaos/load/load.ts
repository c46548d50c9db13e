import type { Database, NewJob } from "#queue";
import { enqueue, enqueueMany } from "#queue/enqueue";
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { Client } from "./client.ts";
import { insist, OWNER_ID } from "../retry-transaction.ts";
import { GRAPH_NAMES } from "../jobs/graphs.ts";
import type { GraphName } from "../jobs/graphs.ts";
import { makeCrowd, makeFlood, makeMix } from "./job-batches.ts";
import { NEVER_MIND } from "../load-facts.ts";
import type { HistoryWriter } from "../history.ts";
import { Random } from "../random.ts";

const CLIENTS = 4;
const MOST_UNFINISHED = 150;
const MOST_TURNS = 5;
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
  /** Where the API is. */
  url: string;
  history: HistoryWriter;
  seed: number;
  /** How many jobs must be acknowledged before the load may end. */
  atLeast: number;
}

/** What the clients know of each other's jobs. */
interface Known {
  /** The jobs of no conversation, oldest first: these may be cancelled and queued again. */
  plain: string[];
  /** All jobs, oldest first. */
  all: string[];
  plainThreads: readonly string[];
  /** By graph, the conversations under way; one that has had its turns is replaced. */
  threads: ReadonlyMap<GraphName | null, { id: string; turns: number }[]>;
  isCrowded: boolean;
}

/** What one client works with. */
interface Actor {
  db: Database;
  client: Client;
  random: Random;
  known: Known;
}

/** Several clients at once make a mix of jobs and meddle with them, until the signal and until enough is acknowledged. */
export async function makeLoad({ db, url, history, seed, atLeast }: LoadOptions, signal: AbortSignal): Promise<void> {
  const known: Known = {
    plain: [],
    all: [],
    plainThreads: Array.from({ length: 12 }, () => randomUUID()),
    threads: new Map([null, ...GRAPH_NAMES].map((graph) => [graph, Array.from({ length: 12 }, newThread)])),
    isCrowded: false,
  };
  const isOver = () => signal.aborted && known.all.length >= atLeast;
  const actors = Array.from({ length: CLIENTS }, (_, index): Actor => {
    const client = new Client({ name: `client ${index + 1}`, url, history });
    return { db, client, random: new Random(seed * CLIENTS + index), known };
  });
  await Promise.all([watchCrowd(db, known, isOver), ...actors.map(async (actor) => act(actor, isOver))]);
}

function newThread() {
  return { id: randomUUID(), turns: 0 };
}

async function act(actor: Actor, isOver: () => boolean): Promise<void> {
  const { random, known } = actor;
  // The shortest run meets the limits and a cancel.
  await enqueueBatch(actor, makeCrowd(random), { cancels: true });
  while (!isOver()) {
    const draw = random.next();
    if (draw < 0.2) await look(actor);
    else if (draw < 0.32) await meddle(actor);
    // The run tests what happens to jobs, not how long they wait.
    else if (known.isCrowded) await wait(100);
    else if (draw < 0.42) await submit(actor, null);
    else if (draw < 0.49) await submit(actor, "questions");
    else if (draw < 0.72) await submit(actor, "fan-out");
    else if (draw < 0.76) await dropTurn(actor);
    else if (draw < 0.87) await enqueueSome(actor);
    else await enqueueAlone(actor);
    await wait(60 + random.below(180));
  }
}

/** Keeps it known whether too much is unfinished. */
async function watchCrowd(db: Database, known: Known, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const [row] = await insist(
      db,
      async (tx) =>
        tx<{ left: number }[]>`select count(*)::int as left from jobs where status in ('queued', 'running', 'waiting')`,
    );
    known.isCrowded = (row?.left ?? 0) >= MOST_UNFINISHED;
    await wait(200);
  }
}

async function submit({ client, random, known }: Actor, graph: GraphName | null): Promise<void> {
  const threads = known.threads.get(graph) ?? [];
  const place = random.below(threads.length);
  const thread = threads[place] ?? newThread();
  const turn = { threadId: thread.id, graph, content: random.pick(PROMPTS) ?? "", key: randomUUID() };
  thread.turns += 1;
  // A conversation that grows for ever is one thread's work after the other's, and little of it at once.
  if (thread.turns >= MOST_TURNS) threads[place] = newThread();
  const jobId = await client.submit(turn);
  if (jobId !== undefined) known.all.push(jobId);
}

/** Cancels a turn while it is queued, runs or waits for an answer. */
async function dropTurn({ client, random }: Actor): Promise<void> {
  const turn = { threadId: randomUUID(), graph: "questions", content: NEVER_MIND, key: randomUUID() } as const;
  const jobId = await client.submit(turn);
  await wait(random.below(400));
  if (jobId !== undefined) await client.cancel(jobId);
}

/** Asks at once where some of the latest jobs stand. */
async function look({ client, random, known }: Actor): Promise<void> {
  const latest = known.all.slice(-60);
  const asked = new Set(Array.from({ length: Math.min(3, latest.length) }, () => random.pick(latest) ?? ""));
  await Promise.all([...asked].map(async (jobId) => client.status(jobId)));
}

/** Cancels or queues again one of the latest jobs, not those of conversations. */
async function meddle({ client, random, known }: Actor): Promise<void> {
  const draw = random.next();
  const status = draw < 0.4 ? "running" : draw < 0.7 ? "failed" : draw < 0.8 ? "cancelled" : undefined;
  if (status === undefined) {
    const jobId = random.pick(known.plain.slice(-30));
    if (jobId !== undefined) await client.cancel(jobId);
    return;
  }
  const found = await client.api.jobs.list.query({ status, limit: 50 }).catch(() => ({ jobs: [] }));
  const job = random.pick(found.jobs.filter(({ decisionSetId }) => decisionSetId === null));
  if (job) await (status === "running" ? client.cancel(job.jobId) : client.retry(job.jobId));
}

function add(known: Known, jobIds: readonly string[]): void {
  known.plain.push(...jobIds);
  known.all.push(...jobIds);
}

async function enqueueSome(actor: Actor): Promise<void> {
  const { random, known } = actor;
  const draw = random.next();
  const jobs = draw < 0.15 ? makeCrowd(random) : draw < 0.3 ? makeFlood(random) : makeMix(random, known.plainThreads);
  await enqueueBatch(actor, jobs, { cancels: random.next() < 0.5 });
}

/** Stores a batch, which the API does not do: jobs of own types are enqueued by TypeScript and SQL alone. */
async function enqueueBatch(
  { db, client, random, known }: Actor,
  jobs: readonly NewJob[],
  { cancels }: { cancels: boolean },
): Promise<void> {
  const added = await client.send({ verb: "enqueue", jobIds: jobs.map((job) => job.jobId ?? "") }, async () =>
    db.transaction(async (tx) => enqueueMany(tx, jobs)),
  );
  add(known, added?.map((job) => job.jobId) ?? []);
  // Where it is still queued, or has just begun.
  const job = cancels ? random.pick(added ?? []) : undefined;
  if (job) await client.cancel(job.jobId);
}

/** Stores a job in a statement of its own, which is not sent again: without a key that would store another. */
async function enqueueAlone({ db, client, random, known }: Actor): Promise<void> {
  const mark = randomUUID();
  const job = { ownerId: OWNER_ID, jobType: "short", payload: { workMs: random.below(5), mark } };
  const sent = await client.sendOnce(
    { verb: "enqueue", jobIds: [], mark },
    async () => db.call(async (sql) => enqueue(sql, job)),
    ({ jobId }) => ({ jobIds: [jobId] }),
  );
  if (sent.outcome === "answered") add(known, [sent.answer.jobId]);
}
