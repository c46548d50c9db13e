import type { Database } from "#queue";
import { setTimeout as wait } from "node:timers/promises";
import { wrapGraph } from "#graph";
import { graphJob } from "#worker";
import type { JobHandler, TurnJobOptions } from "#worker";
import type { Client } from "../load/client.ts";
import { buildFanOut } from "./fan-out.ts";
import { recordingHooks, NO_HOOKS } from "./node-runs.ts";
import { buildQuestions } from "./questions.ts";

/** The graphs of the crash test. Every start of a node is recorded, outside the fence. */
export const GRAPHS = { questions: buildQuestions, "fan-out": buildFanOut } as const;
export type GraphName = keyof typeof GRAPHS;
export const GRAPH_NAMES = Object.keys(GRAPHS) as GraphName[];

const PACE_MS = 15;

/** The job types of the graphs. Each attempt builds its graph with hooks that record the attempt. */
export function graphJobs(db: Database, options: TurnJobOptions): JobHandler[] {
  return GRAPH_NAMES.map((name) => ({
    type: graphJob(wrapGraph(name, GRAPHS[name](NO_HOOKS)), options).type,
    run: async (context) =>
      graphJob(wrapGraph(name, GRAPHS[name](recordingHooks(db, context.job, PACE_MS))), options).run(context),
  }));
}

/** The answer to a question. It names the question. */
export function answerTo(kind: string): string {
  return `answer to ${kind}`;
}

/** Answers the questions of all jobs over the API, until the signal aborts. */
export async function answerQuestions(client: Client, signal: AbortSignal): Promise<void> {
  for (let round = 0; !signal.aborted; round += 1) {
    // A job with two questions runs again after the first answer, and still asks the second.
    const status = round % 4 === 3 ? "running" : "waiting";
    const listed = await client.api.jobs.list.query({ status, limit: 20 }).catch(() => ({ jobs: [] }));
    const chats = listed.jobs.filter((job) => job.threadId !== null && job.decisionSetId !== null);
    await Promise.all(chats.map(async ({ jobId }) => answerAll(client, jobId)));
    await wait(50, undefined, { signal }).catch(() => undefined);
  }
}

async function answerAll(client: Client, jobId: string): Promise<void> {
  const seen = await client.status(jobId);
  for (const { id, kind } of seen?.interrupts ?? []) await client.answer(jobId, id, answerTo(kind));
}
