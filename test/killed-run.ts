// A process that runs one attempt and kills itself in the given node; see resume.db.test.ts.
import { HumanMessage } from "@langchain/core/messages";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import postgres from "postgres";
import { FencedSaver } from "#checkpoint";

const [, , url = "", killIn = ""] = process.argv;
const sql = postgres(url, { max: 3 });

/** Records its run in the database, then dies in the given node. */
const node = (name: string) => async () => {
  await sql`insert into node_runs (name) values (${name})`;
  if (name === "slow") {
    // The sibling's writes must be durable before this process dies.
    while ((await sql`select 1 from langgraph.checkpoint_writes where task_path like '%quick%'`).length === 0);
  }
  if (name === killIn) process.kill(process.pid, "SIGKILL");
  return { messages: [new HumanMessage({ id: name, content: name })] };
};
const graph = new StateGraph(MessagesAnnotation)
  .addNode("one", node("one"))
  .addNode("two", node("two"))
  .addNode("quick", node("quick"))
  .addNode("slow", node("slow"))
  .addNode("last", node("last"))
  .addEdge(START, "one")
  .addEdge("one", "two")
  .addEdge("two", "quick")
  .addEdge("two", "slow")
  .addEdge(["quick", "slow"], "last")
  .compile({ checkpointer: new FencedSaver({ call: async (work) => work(sql), fence: null }) });
const { messages } = await graph.invoke(
  { messages: [new HumanMessage({ id: "user", content: "hello" })] },
  { configurable: { thread_id: "t", run_id: "run" }, durability: "sync" },
);
process.stdout.write(messages.map((message) => message.id).join(","));
await sql.end();
