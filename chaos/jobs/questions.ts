import { AIMessage } from "@langchain/core/messages";
import { Annotation, END, interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { Stage } from "./node-runs.ts";

/** A graph of one step after the other, the second of which asks two questions. */
export function buildQuestions(stage: Stage) {
  const State = Annotation.Root({
    ...MessagesAnnotation.spec,
    facts: Annotation<string[]>({
      reducer: (before, added) => (added[0] === "one" ? added : [...before, ...added]),
      default: () => [],
    }),
  });
  const step = (name: string) => async (_state: typeof State.State, config: LangGraphRunnableConfig) => {
    await stage.begin(config);
    return { facts: [name] };
  };
  return new StateGraph(State)
    .addNode("one", step("one"))
    .addNode("ask", async (_state, config) => {
      await stage.begin(config);
      const first: unknown = interrupt({ kind: "first" });
      const second: unknown = interrupt({ kind: "second" });
      return { facts: [`${String(first)} ${String(second)}`] };
    })
    .addNode("two", step("two"))
    .addNode("three", step("three"))
    .addNode("say", async ({ facts }, config) => {
      await stage.begin(config);
      return { messages: [new AIMessage(facts.join(", "))] };
    })
    .addEdge(START, "one")
    .addEdge("one", "ask")
    .addEdge("ask", "two")
    .addEdge("two", "three")
    .addEdge("three", "say")
    .addEdge("say", END);
}
