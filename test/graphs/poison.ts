// A graph that ends its process when it is told to; see src/worker/quarantine/poison.db.test.ts.
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import postgres from "postgres";

const sql = postgres(process.env["DATABASE_URL"] ?? "", { max: 1, onnotice: () => undefined });
/** How many turns of the test run at once. */
const TOGETHER = 10;

/** Notes that the turn runs here, and waits until the others of this process do, so that a death hits all of them. */
async function gather(content: string): Promise<void> {
  await sql`insert into poison_runs (content, pid) values (${content}, ${process.pid})`;
  if (process.send !== undefined) return;
  const here = async () => (await sql`select distinct content from poison_runs where pid = ${process.pid}`).length;
  while ((await here()) < TOGETHER);
}

export const poison = new StateGraph(MessagesAnnotation)
  .addNode("run", async ({ messages }) => {
    const content = messages.at(-1)?.text ?? "";
    await gather(content);
    if (content.startsWith("poison")) process.exit(3);
    // In the worker's own process the poison ends it; a turn that runs alone goes on.
    if (process.send === undefined) await new Promise(() => undefined);
    return { messages: [new AIMessage(`survived: ${content}`)] };
  })
  .addEdge(START, "run")
  .addEdge("run", END);
