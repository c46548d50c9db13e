import { setTimeout as wait } from "node:timers/promises";
import { wrapGraph } from "#graph";
import { answer, JobConflictError } from "#queue";
import type { Database } from "#queue";
import { graphJob } from "#worker";
import type { JobHandler, TurnJobOptions } from "#worker";
import { buildFanOut } from "./fan-out.ts";
import { insist, OWNER_ID } from "./insist.ts";
import { notedStage, QUIET_STAGE } from "./node-runs.ts";
import { buildQuestions } from "./questions.ts";

/** The graphs whose every node run is written down, outside the fence. */
export const GRAPHS = { questions: buildQuestions, "fan-out": buildFanOut } as const;
export type GraphName = keyof typeof GRAPHS;
export const GRAPH_NAMES = Object.keys(GRAPHS) as GraphName[];

const PACE_MS = 15;

/** The job types that run the graphs; each attempt says which it is when one of its nodes begins. */
export function graphJobs(db: Database, options: TurnJobOptions): JobHandler[] {
  return GRAPH_NAMES.map((name) => ({
    type: graphJob(wrapGraph(name, GRAPHS[name](QUIET_STAGE)), options).type,
    run: async (context) =>
      graphJob(wrapGraph(name, GRAPHS[name](notedStage(db, context.job, PACE_MS))), options).run(context),
  }));
}

/** What people answer, whoever asks: it names the question. */
export function answerTo(kind: string): string {
  return `answer to ${kind}`;
}

/** Answers what the jobs ask until none is left unanswered and the signal says so. */
export async function answerQuestions(db: Database, signal: AbortSignal): Promise<number> {
  let answered = 0;
  while (!signal.aborted) {
    const asked = await insist(
      db,
      async (tx) => tx<{ job_id: string; interrupt_id: string; kind: string }[]>`
        select job_id, interrupt_id, kind from job_interrupts join jobs on jobs.id = job_id
        where answered_at is null and status in ('queued', 'running', 'waiting') limit 20`,
    );
    for (const { job_id: jobId, interrupt_id: interruptId, kind } of asked) {
      answered += await insist(db, async (tx) => {
        try {
          await answer(tx, { ownerId: OWNER_ID, jobId, interruptId, answers: answerTo(kind) });
          return 1;
        } catch (error) {
          // Its answer was lost on the way back, and it is answered.
          if (error instanceof JobConflictError) return 0;
          throw error;
        }
      });
    }
    await wait(50, undefined, { signal }).catch(() => undefined);
  }
  return answered;
}
