// A graph that blocks its process's event loop for ever when it is told to; see src/worker/blocked-loop.db.test.ts.
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

export const blocked = new StateGraph(MessagesAnnotation)
  .addNode("run", ({ messages }) => {
    if (messages.at(-1)?.text === "block") for (;;);
    return { messages: [new AIMessage("done")] };
  })
  .addEdge(START, "run")
  .addEdge("run", END);
