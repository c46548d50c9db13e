import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { cancel, DatabaseUnavailableError, enqueue, enqueueMany, JobConflictError, redrive, submitTurn } from "#queue";
import type { Database, NewJob } from "#queue";
import { KINDS } from "./job-types.ts";
import { insist, OWNER_ID } from "./insist.ts";
import { GRAPH_NAMES } from "./graphs.ts";
import type { GraphName } from "./graphs.ts";
import type { Random } from "./random.ts";

export const PLACES = 3;
const MOST_UNFINISHED = 150;
const MOST_TURNS = 5;
const ENDLESS = 1_000_000;
const PROMPTS = [
  "Detect card fraud at 2,000 transactions per second within 50 ms",
  "Make it cheaper, under $3,000 a month",
  "What if it has to run on our own servers?",
  "What are the risks?",
  "Forecast demand for 20,000 products, nightly",
  "Why not a neural network?",
];

/** What the database has said yes to; all of it must be found again in the end. */
export interface Acknowledged {
  jobs: Set<string>;
  /** By thread: its messages in submit order, and the graph that it talks to; null is the product's own. */
  threads: Map<string, { graph: GraphName | null; turns: { jobId: string; content: string }[] }>;
  redriven: Map<string, number>;
  cancelled: Set<string>;
  /** The marks of jobs without a key whose answer was lost: they may be there or not. */
  unsure: Set<string>;
}

/** Enqueues a mix of jobs until the signal, a few at a time, sending again what got no answer. */
export async function makeLoad(db: Database, random: Random, signal: AbortSignal): Promise<Acknowledged> {
  const said: Acknowledged = {
    jobs: new Set(),
    threads: new Map(),
    redriven: new Map(),
    cancelled: new Set(),
    unsure: new Set(),
  };
  const plainThreads = Array.from({ length: 12 }, () => randomUUID());
  const chatThreads = new Map(
    [null, ...GRAPH_NAMES].map((graph) => [graph, Array.from({ length: 12 }, () => randomUUID())]),
  );
  while (!signal.aborted) {
    await keepUp(db, signal);
    const draw = random.next();
    const graph = draw < 0.15 ? null : draw < 0.25 ? "questions" : draw < 0.65 ? "fan-out" : undefined;
    const threads = graph === undefined ? undefined : chatThreads.get(graph);
    if (graph !== undefined && threads) await submit(db, random, { said, threads, graph });
    else if (draw < 0.75) await meddle(db, random, said);
    else if (draw < 0.85) await enqueueSome(db, random, { said, threads: plainThreads });
    else await enqueueAlone(db, random, said);
    await wait(20 + random.below(60), undefined, { signal }).catch(() => undefined);
  }
  return said;
}

/** Waits while too much is unfinished: what is measured is what happens to jobs, not how long they wait. */
async function keepUp(db: Database, signal: AbortSignal): Promise<void> {
  for (;;) {
    const [row] = await insist(
      db,
      async (tx) =>
        tx<{ left: number }[]>`select count(*)::int as left from jobs where status in ('queued', 'running', 'waiting')`,
    );
    if (signal.aborted || (row?.left ?? 0) < MOST_UNFINISHED) return;
    await wait(100, undefined, { signal }).catch(() => undefined);
  }
}

interface Target {
  said: Acknowledged;
  threads: readonly string[];
}

interface TurnTarget {
  said: Acknowledged;
  /** Those that are under way; one that has had its turns is replaced. */
  threads: string[];
  graph: GraphName | null;
}

async function enqueueSome(db: Database, random: Random, { said, threads }: Target): Promise<void> {
  const jobs = Array.from({ length: 1 + random.below(6) }, (): NewJob => {
    const jobType = random.pick(KINDS) ?? "short";
    return {
      jobId: randomUUID(),
      ownerId: OWNER_ID,
      idempotencyKey: randomUUID(),
      jobType,
      payload: {
        failures: jobType === "failing" ? random.below(5) : 0,
        workMs: jobType === "long" ? 200 + random.below(600) : random.below(5),
      },
      priority: random.below(3),
      maxRetries: 2 + random.below(4),
      maxCrashes: 2 + random.below(6),
      threadId: random.next() < 0.3 ? random.pick(threads) : undefined,
      limitKey: random.next() < 0.2 ? `key ${random.below(2)}` : undefined,
      delayMs: random.next() < 0.2 ? random.below(2_000) : 0,
    };
  });
  const [first, second] = jobs;
  if (first && second && random.next() < 0.3) {
    jobs[1] = { ...second, after: [first.jobId ?? ""], onDependencyFailure: random.next() < 0.5 ? "run" : "fail" };
  }
  const added = await insist(db, async (tx) => enqueueMany(tx, jobs));
  for (const { jobId } of added) said.jobs.add(jobId);
}

/** Stores a job in a statement of its own, which is not sent again: without a key that would store another. */
async function enqueueAlone(db: Database, random: Random, said: Acknowledged): Promise<void> {
  const mark = randomUUID();
  const job = { ownerId: OWNER_ID, jobType: "short", payload: { workMs: random.below(5), mark } };
  try {
    said.jobs.add((await db.call(async (sql) => enqueue(sql, job))).jobId);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailableError)) throw error;
    said.unsure.add(mark);
  }
}

async function submit(db: Database, random: Random, { said, threads, graph }: TurnTarget): Promise<void> {
  const place = random.below(threads.length);
  const threadId = threads[place] ?? randomUUID();
  const turn = {
    ownerId: OWNER_ID,
    threadId,
    content: random.pick(PROMPTS) ?? "",
    graph: graph ?? undefined,
    idempotencyKey: randomUUID(),
  };
  const { jobId } = await insist(db, async (tx) => {
    const submitted = await submitTurn(tx, turn);
    // However often it is hit: what a turn would have said that failed for good is missing in all that come after it.
    await tx`update jobs set max_retries = ${ENDLESS}, max_crashes = ${ENDLESS} where id = ${submitted.jobId}`;
    return submitted;
  });
  said.jobs.add(jobId);
  const thread = said.threads.get(threadId) ?? { graph, turns: [] };
  thread.turns.push({ jobId, content: turn.content });
  said.threads.set(threadId, thread);
  // A conversation that grows for ever is one thread's work after the other's, and little of it at once.
  if (thread.turns.length === MOST_TURNS) threads[place] = randomUUID();
}

/** Cancels or redrives one of the jobs, not those of conversations. */
async function meddle(db: Database, random: Random, said: Acknowledged): Promise<void> {
  const turns = new Set([...said.threads.values()].flatMap((thread) => thread.turns.map((turn) => turn.jobId)));
  const jobId = random.pick([...said.jobs].slice(-200).filter((id) => !turns.has(id)));
  if (jobId === undefined) return;
  const verb = random.next() < 0.5 ? "cancel" : "redrive";
  const done = await insist(db, async (tx) => {
    try {
      // A redrive whose answer was lost may have been done: sent again it is refused, or runs a delayed job now.
      await (verb === "cancel" ? cancel(tx, { ownerId: OWNER_ID, jobId }) : redrive(tx, { ownerId: OWNER_ID, jobId }));
      return true;
    } catch (error) {
      if (error instanceof JobConflictError) return verb === "redrive";
      throw error;
    }
  });
  if (done && verb === "cancel") said.cancelled.add(jobId);
  if (done && verb === "redrive") said.redriven.set(jobId, (said.redriven.get(jobId) ?? 0) + 1);
}
