// Graphs that ask people; `notes` records each run of a node.
import { AIMessage } from "@langchain/core/messages";
import { Annotation, END, interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";

/** The nodes that ran, in order, with their answers. */
export const notes: string[] = [];

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  facts: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
});
const say = ({ facts }: typeof State.State) => ({ messages: [new AIMessage(facts.join(" "))] });
const note = (text: string) => {
  notes.push(text);
  return { facts: [text] };
};

/** Asks two questions in one node, one after the other. */
export const twice = new StateGraph(State)
  .addNode("start", () => note("start"))
  .addNode("ask", () => {
    notes.push("asked");
    const colour: unknown = interrupt(
      { kind: "choice", message: "Which colour?" },
      { responseSchema: z.enum(["red", "blue"]) },
    );
    const size: unknown = interrupt({ kind: "size", message: "Which size?", schema: { type: "integer", minimum: 1 } });
    return note(`${String(colour)} ${String(size)}`);
  })
  .addNode("say", say)
  .addEdge(START, "start")
  .addEdge("start", "ask")
  .addEdge("ask", "say")
  .addEdge("say", END);

/** Asks two questions at once, one of them within a subgraph. */
const inner = new StateGraph(State)
  .addNode("ask", () => note(`right=${String(interrupt("right?"))}`))
  .addEdge(START, "ask")
  .compile();
export const atOnce = () =>
  new StateGraph(State)
    .addNode("left", () => note(`left=${String(interrupt("left?"))}`))
    .addNode("right", inner)
    .addNode("say", ({ facts }) => ({ messages: [new AIMessage([...new Set(facts)].toSorted().join(" "))] }))
    .addEdge(START, "left")
    .addEdge(START, "right")
    .addEdge(["left", "right"], "say")
    .addEdge("say", END)
    .compile();

/** Asks with a deadline and a default; without a default for messages that contain "strict". */
export const hurried = new StateGraph(State)
  .addNode("ask", ({ messages }) => {
    const strict = messages.at(-1)?.text.includes("strict");
    return note(`said ${String(interrupt({ kind: "approval", deadlineMs: 50, ...(!strict && { default: null }) }))}`);
  })
  .addNode("say", say)
  .addEdge(START, "ask")
  .addEdge("ask", "say")
  .addEdge("say", END);

/** Repeats the messages of the thread. */
export const echo = new StateGraph(State)
  .addNode("say", ({ messages }) => ({
    messages: [new AIMessage(`heard: ${messages.map((message) => message.text).join(" | ")}`)],
  }))
  .addEdge(START, "say")
  .addEdge("say", END);

export const stops = new StateGraph(State)
  .addNode("say", say)
  .addEdge(START, "say")
  .compile({ interruptBefore: ["say"] });
export const silent = new StateGraph(State).addNode("nothing", () => ({})).addEdge(START, "nothing");
export const noConversation = new StateGraph(Annotation.Root({ x: Annotation<string>() }))
  .addNode("nothing", () => ({}))
  .addEdge(START, "nothing");
export const number = 7;
