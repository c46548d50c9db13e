import { MemorySaver } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { buildMlWorkflow } from "./index.ts";

const signal = new AbortController().signal;
const ask = (content: string, messageId: string) => ({ threadId: "t", messageId, content, history: [] });

test("different requests give different designs, and a follow-up changes the present one", async () => {
  const { runTurn } = buildMlWorkflow({ checkpointer: new MemorySaver(), model: null });
  const first = await runTurn(ask("Detect card fraud at 2,000 transactions per second within 50 ms", "1"), {
    runId: "a",
    signal,
  });
  expect(first.reply).toContain("isolation forest");
  expect(first.version?.requirements).toMatchObject({ latencyMs: 50, requestsPerSecond: 2000 });
  const second = await runTurn(ask("latency must be 20 ms", "2"), { runId: "b", signal });
  expect(second.reply).toContain("latencyMs: 50 → 20");
  const other = buildMlWorkflow({ checkpointer: new MemorySaver(), model: null });
  expect((await other.runTurn(ask("Recommend films to our users", "1"), { runId: "a", signal })).reply).toContain(
    "two-tower",
  );
});

test("a turn that is run again runs no node and gives the same reply", async () => {
  const { runTurn } = buildMlWorkflow({ checkpointer: new MemorySaver(), model: null });
  const steps: string[] = [];
  const onStep = (step: string) => steps.push(step);
  const first = await runTurn(ask("Forecast demand", "1"), { runId: "a", signal, onStep });
  expect(await runTurn(ask("Forecast demand", "1"), { runId: "a", signal, onStep })).toEqual(first);
  expect(steps).toEqual(["intake", "plan", "compose"]);
});
