// A graph that waits for a person. Its job holds no worker while it waits, even for a week.
import { AIMessage } from "@langchain/core/messages";
import { Annotation, END, interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";
import { CATALOGUE, priceOf } from "./catalogue.ts";

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  part: Annotation<string | null>(),
  quantity: Annotation<number>(),
});

const decisionSchema = z.object({
  approved: z.boolean().describe("Place the order?"),
  note: z.string().max(500).optional().describe("A note for the supplier"),
});

/** Reads part and quantity from the message. */
function read({ messages }: typeof State.State) {
  const text = messages.at(-1)?.text.toLowerCase() ?? "";
  const part = Object.keys(CATALOGUE).find((name) => text.includes(name)) ?? null;
  return { part, quantity: Number(/\d+/.exec(text)?.[0] ?? 1) };
}

/** Asks for approval, then orders. */
function order({ part, quantity }: typeof State.State) {
  if (part === null)
    return { messages: [new AIMessage(`I can order these parts: ${Object.keys(CATALOGUE).join(", ")}.`)] };
  const message = `Order ${quantity} × ${part} for $${priceOf(part, quantity)?.toLocaleString("en-US")}?`;
  const decision = interrupt<unknown, z.infer<typeof decisionSchema>>(
    { kind: "approval", message },
    { responseSchema: decisionSchema },
  );
  const said = decision.approved
    ? `Ordered ${quantity} × ${part}.${decision.note ? ` Note to the supplier: ${decision.note}` : ""}`
    : "Nothing was ordered.";
  return { messages: [new AIMessage(said)] };
}

export const purchase = new StateGraph(State)
  .addNode("read", read)
  .addNode("order", order)
  .addEdge(START, "read")
  .addEdge("read", "order")
  .addEdge("order", END);
