// A tool-calling agent. The model looks up prices by itself; an order waits for a person's approval.
import { tool } from "@langchain/core/tools";
import { END, interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";
import { CATALOGUE, priceOf } from "./catalogue.ts";

const orderSchema = z.object({ part: z.string(), quantity: z.number().int().positive() });

const lookUpPrice = tool(
  ({ part, quantity }: z.infer<typeof orderSchema>) => {
    const price = priceOf(part, quantity);
    return price === null ? `No such part; there are ${Object.keys(CATALOGUE).join(", ")}` : `$${price}`;
  },
  { name: "look_up_price", description: "The price of a number of parts", schema: orderSchema },
);

const placeOrder = tool(
  ({ part, quantity }: z.infer<typeof orderSchema>) => {
    const price = priceOf(part, quantity);
    if (price === null) return `No such part; there are ${Object.keys(CATALOGUE).join(", ")}`;
    // The code above runs again after the answer. Keep effects below this call.
    const { approved } = interrupt<unknown, { approved: boolean }>(
      { kind: "approval", message: `Order ${quantity} × ${part} for $${price}?` },
      { responseSchema: z.object({ approved: z.boolean() }) },
    );
    return approved ? `Ordered ${quantity} × ${part}` : "The person did not approve";
  },
  { name: "place_order", description: "Orders parts, after a person has approved", schema: orderSchema },
);

/** Makes the agent. The worker calls it once, when it loads the graph. */
export function agent() {
  const tools = [lookUpPrice, placeOrder];
  const baseURL = process.env["OPENAI_BASE_URL"];
  const model = new ChatOpenAI({
    model: process.env["AGENT_MODEL"] ?? "gpt-4.1-mini",
    // The queue retries, after the delay that the provider asks for.
    maxRetries: 0,
    apiKey: process.env["OPENAI_API_KEY"] ?? "unset",
    ...(baseURL !== undefined && { configuration: { baseURL } }),
  }).bindTools(tools);
  return new StateGraph(MessagesAnnotation)
    .addNode("model", async ({ messages }, config) => ({ messages: [await model.invoke(messages, config)] }))
    .addNode("tools", new ToolNode(tools))
    .addEdge(START, "model")
    .addConditionalEdges("model", ({ messages }) => {
      const last = messages.at(-1);
      return last && "tool_calls" in last && Array.isArray(last.tool_calls) && last.tool_calls.length > 0
        ? "tools"
        : END;
    })
    .addEdge("tools", "model");
}
