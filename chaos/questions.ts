import { setTimeout as wait } from "node:timers/promises";
import { AIMessage } from "@langchain/core/messages";
import { Annotation, END, interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { wrapGraph } from "#graph";
import { answer, JobConflictError } from "#queue";
import type { Database } from "#queue";
import { graphJob } from "#worker";
import type { JobHandler, TurnJobOptions } from "#worker";
import { insist, OWNER_ID } from "./insist.ts";

/** The graph whose every node run is written down, outside the fence. */
export const GRAPH = "questions";
/** Its nodes in the order in which they run; the second asks two questions. */
export const NODES = ["one", "ask", "two", "three", "say"] as const;

/** The job type that runs the graph; each attempt says which it is when one of its nodes begins. */
export function questionsJob(db: Database, options: TurnJobOptions): JobHandler {
  const build = (jobId: string, attempt: number) => {
    const note = async (node: string) => {
      await db.call(
        async (sql) => sql`insert into chaos_nodes (job_id, attempt, node) values (${jobId}, ${attempt}, ${node})`,
      );
      return { facts: [node] };
    };
    const State = Annotation.Root({
      ...MessagesAnnotation.spec,
      facts: Annotation<string[]>({
        reducer: (before, added) => (added[0] === "one" ? added : [...before, ...added]),
        default: () => [],
      }),
    });
    return new StateGraph(State)
      .addNode("one", async () => note("one"))
      .addNode("ask", async () => {
        await note("ask");
        const first: unknown = interrupt({ kind: "first" });
        const second: unknown = interrupt({ kind: "second" });
        return { facts: [`${String(first)} ${String(second)}`] };
      })
      .addNode("two", async () => note("two"))
      .addNode("three", async () => note("three"))
      .addNode("say", async ({ facts }) => {
        await note("say");
        return { messages: [new AIMessage(facts.join(", "))] };
      })
      .addEdge(START, "one")
      .addEdge("one", "ask")
      .addEdge("ask", "two")
      .addEdge("two", "three")
      .addEdge("three", "say")
      .addEdge("say", END);
  };
  const type = graphJob(wrapGraph(GRAPH, build("", 0)), options).type;
  return {
    type,
    run: async (context) =>
      graphJob(wrapGraph(GRAPH, build(context.job.jobId, context.job.attempt)), options).run(context),
  };
}

/** What every conversation with the graph must read, whatever happened. */
export const EXPECTED_REPLY = "one, answer to first answer to second, two, three";

/** Answers what the jobs ask, with what names the question, until none is left unanswered and the signal says so. */
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
          await answer(tx, { ownerId: OWNER_ID, jobId, interruptId, answers: `answer to ${kind}` });
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
