// A graph that blocks the event loop for ever at the message "block"; see src/worker/lease/blocked-loop.db.test.ts.
import { writeFileSync } from "node:fs";
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

export const blocked = new StateGraph(MessagesAnnotation)
  .addNode("run", ({ messages }) => {
    if (messages.at(-1)?.text === "block") {
      if (process.env["BLOCKED_FILE"] !== undefined) writeFileSync(process.env["BLOCKED_FILE"], String(process.pid));
      for (;;);
    }
    return { messages: [new AIMessage("done")] };
  })
  .addEdge(START, "run")
  .addEdge("run", END);
