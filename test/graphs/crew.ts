// A graph with parallel work and a subgraph, for tests of whole worker processes; see src/worker/processes.db.test.ts.
import { AIMessage } from "@langchain/core/messages";
import { Annotation, END, MessagesAnnotation, Send, START, StateGraph } from "@langchain/langgraph";
import postgres from "postgres";

const sql = postgres(process.env["DATABASE_URL"] ?? "", { max: 2, onnotice: () => undefined });
const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  facts: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
});

/** Records the run of a node. Kills this process in the node KILL_IN, and holds the node HOLD_IN. */
async function run(name: string): Promise<{ facts: string[] }> {
  await sql`insert into node_runs (name) values (${name})`;
  if (name === process.env["KILL_IN"]) {
    // The writes of the siblings must be durable before this process dies.
    const before = name === "work 3" ? 3 : 0;
    while ((await sql`select 1 from langgraph.checkpoint_writes where channel = 'facts'`).length < before);
    process.kill(process.pid, "SIGKILL");
  }
  if (name === process.env["HOLD_IN"]) {
    await sql`insert into node_runs (name) values ('held')`;
    while ((await sql`select 1 from node_runs where name = 'let go'`).length === 0);
  }
  return { facts: [name] };
}

const team = new StateGraph(State)
  .addNode("draft", async () => run("draft"))
  .addNode("review", async () => run("review"))
  .addEdge(START, "draft")
  .addEdge("draft", "review")
  .addEdge("review", END)
  .compile();

export const crew = new StateGraph(State)
  .addNode("plan", async () => run("plan"))
  .addNode("work", async ({ part }: { part: number }) => run(`work ${part}`))
  .addNode("team", async (_state, config) => {
    const { facts } = await team.invoke({ messages: [] }, config);
    return { facts };
  })
  .addNode("say", async ({ facts, messages }) => {
    await run("say");
    const asked = messages.filter((message) => message.type === "human").length;
    return { messages: [new AIMessage(`${asked} asked: ${facts.join(", ")}`)] };
  })
  .addEdge(START, "plan")
  .addConditionalEdges("plan", () => [1, 2, 3].map((part) => new Send("work", { part })), ["work"])
  .addEdge("work", "team")
  .addEdge("team", "say")
  .addEdge("say", END);
