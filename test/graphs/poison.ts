// A graph that ends its process at messages that begin with "poison"; see src/worker/quarantine/poison.db.test.ts.
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import postgres from "postgres";

const sql = postgres(process.env["DATABASE_URL"] ?? "", { max: 1, onnotice: () => undefined });
/** The number of turns that the test runs at once. */
const TURN_COUNT = 10;

/** Records the turn and waits until all turns of this process run, so that its death hits all of them. */
async function waitForAll(content: string): Promise<void> {
  await sql`insert into poison_runs (content, pid) values (${content}, ${process.pid})`;
  if (process.send !== undefined) return;
  const runningCount = async () =>
    (await sql`select distinct content from poison_runs where pid = ${process.pid}`).length;
  while ((await runningCount()) < TURN_COUNT);
}

export const poison = new StateGraph(MessagesAnnotation)
  .addNode("run", async ({ messages }) => {
    const content = messages.at(-1)?.text ?? "";
    await waitForAll(content);
    if (content.startsWith("poison")) process.exit(3);
    // In the worker's process the turn waits for the poison to end it. A turn that runs alone continues.
    if (process.send === undefined) await new Promise(() => undefined);
    return { messages: [new AIMessage(`survived: ${content}`)] };
  })
  .addEdge(START, "run")
  .addEdge("run", END);
