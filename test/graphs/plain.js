// A graph in plain JavaScript with a zod schema as its state, and an agent that holds its graph.
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesZodState, START, StateGraph } from "@langchain/langgraph";

const graph = new StateGraph(MessagesZodState)
  .addNode("say", ({ messages }) => ({
    // oxlint-disable-next-line typescript/no-unsafe-member-access -- plain JavaScript
    messages: [new AIMessage(`${process.env.GREETING}, ${messages.at(-1)?.text}`)],
  }))
  .addEdge(START, "say")
  .addEdge("say", END)
  .compile();

// oxlint-disable-next-line import/no-default-export -- users export graphs like this
export default graph;
export const agent = { graph, stream: () => undefined, getState: () => undefined };
