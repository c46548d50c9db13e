import { AIMessage } from "@langchain/core/messages";
import { Annotation, END, interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { NodeHooks } from "./node-runs.ts";

/** A linear graph. Its second node asks two questions. */
export function buildQuestions(hooks: NodeHooks) {
  const State = Annotation.Root({
    ...MessagesAnnotation.spec,
    facts: Annotation<string[]>({
      reducer: (before, added) => (added[0] === "one" ? added : [...before, ...added]),
      default: () => [],
    }),
  });
  const step = (name: string) => async (_state: typeof State.State, config: LangGraphRunnableConfig) => {
    await hooks.begin(config);
    return { facts: [name] };
  };
  return new StateGraph(State)
    .addNode("one", step("one"))
    .addNode("ask", async (_state, config) => {
      await hooks.begin(config);
      const first: unknown = interrupt({ kind: "first" });
      const second: unknown = interrupt({ kind: "second" });
      return { facts: [`${String(first)} ${String(second)}`] };
    })
    .addNode("two", step("two"))
    .addNode("three", step("three"))
    .addNode("say", async ({ facts }, config) => {
      await hooks.begin(config);
      return { messages: [new AIMessage(facts.join(", "))] };
    })
    .addEdge(START, "one")
    .addEdge("one", "ask")
    .addEdge("ask", "two")
    .addEdge("two", "three")
    .addEdge("three", "say")
    .addEdge("say", END);
}
