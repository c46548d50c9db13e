import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import postgres from "postgres";
import { FencedSaver } from "#checkpoint";
import { createTestDatabase } from "./database.ts";

const JOB = "00000000-0000-7000-8000-000000000001";

/** Opens a database with one job, and makes savers for its attempts. */
export async function openSavers() {
  const { url, drop } = await createTestDatabase();
  const statements: string[] = [];
  let last = 0;
  const sql = postgres(url, {
    max: 4,
    onnotice: () => undefined,
    debug: (_connection, query) => statements.push(query),
  });
  return {
    sql,
    /** The statements that were sent since the test emptied the list. */
    statements,
    /** A saver for the next attempt of the job. */
    async nextAttempt(): Promise<FencedSaver> {
      const attempt = (last += 1);
      await sql`
        insert into jobs (id, owner_id, job_type, payload, status, worker_id, attempt, lease_expires_at)
        values (${JOB}, 'local', 't', '{}', 'running', 'w', ${attempt}, clock_timestamp() + interval '1 minute')
        on conflict (id) do update set attempt = excluded.attempt, lease_expires_at = excluded.lease_expires_at`;
      return new FencedSaver({
        call: async (work) => work(sql),
        fence: {
          holds: (on) =>
            on`id = ${JOB} and attempt = ${attempt} and status = 'running' and lease_expires_at > clock_timestamp()`,
          lost: () => Object.assign(new Error("lease lost"), { code: "LEASE_LOST" }),
        },
      });
    },
    /** A saver without a claim. */
    reader: () => new FencedSaver({ call: async (work) => work(sql), fence: null }),
    async clear(): Promise<void> {
      await sql`truncate jobs, langgraph.checkpoints, langgraph.checkpoint_blobs, langgraph.checkpoint_writes cascade`;
    },
    async close(): Promise<void> {
      await sql.end();
      await drop();
    },
  };
}

export const config = (run_id = "run") => ({ configurable: { thread_id: "t", run_id }, durability: "sync" as const });
export const checkpoint = (values: Record<string, unknown>) => ({
  ...emptyCheckpoint(),
  id: uuid6(0),
  channel_values: values,
  channel_versions: Object.fromEntries(Object.keys(values).map((name) => [name, 1])),
});
export const metadata = { source: "loop" as const, step: 0, parents: {} };

/** one → two → three; each node appends its name to `ran`, and `two` calls `during`. */
export function threeNodes(checkpointer: BaseCheckpointSaver, ran: string[], during: () => unknown = () => undefined) {
  const note =
    (name: string, work: () => unknown = () => undefined) =>
    async () => {
      ran.push(name);
      await work();
      return { messages: [new AIMessage({ id: name, content: `from ${name}` })] };
    };
  return new StateGraph(MessagesAnnotation)
    .addNode("one", note("one"))
    .addNode("two", note("two", during))
    .addNode("three", note("three"))
    .addEdge(START, "one")
    .addEdge("one", "two")
    .addEdge("two", "three")
    .addEdge("three", END)
    .compile({ checkpointer });
}
export const input = { messages: [new HumanMessage({ id: "user", content: "hello" })] };
