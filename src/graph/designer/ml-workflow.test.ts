import { expect, test } from "vitest";
import { RunSaver } from "../../../test/run-saver.ts";
import { buildMlWorkflow, DrainedError } from "../index.ts";
import type { TurnEvent } from "../index.ts";

const quiet = () => new AbortController().signal;
const ask = (content: string, messageId: string) => ({ threadId: "t", messageId, content, history: [] });
const offline = (checkpointer = new RunSaver()) => buildMlWorkflow({ checkpointer, model: null });

test("different requests give different designs, and a follow-up changes the current one", async () => {
  const { runTurn } = offline();
  const first = await runTurn(ask("Detect card fraud at 2,000 transactions per second within 50 ms", "1"), {
    runId: "a",
    signal: quiet(),
  });
  expect(first.reply).toContain("isolation forest");
  expect(first.version?.requirements).toMatchObject({ latencyMs: 50, requestsPerSecond: 2000 });
  const second = await runTurn(ask("latency must be 20 ms", "2"), { runId: "b", signal: quiet() });
  expect(second.reply).toContain("Latency: 50 ms → 20 ms");
  const third = await runTurn(ask("why not a neural network?", "3"), { runId: "c", signal: quiet() });
  expect(third).toMatchObject({ version: null, title: "Fraud and anomaly detection" });
  expect(
    (await offline().runTurn(ask("Recommend films to our users", "1"), { runId: "a", signal: quiet() })).reply,
  ).toContain("two-tower");
});

test("running a finished turn again runs no node and returns the same reply", async () => {
  const { runTurn } = offline();
  const steps: string[] = [];
  const onStep = (step: string) => steps.push(step);
  const first = await runTurn(ask("Forecast demand", "1"), { runId: "a", signal: quiet(), onStep });
  expect(await runTurn(ask("Forecast demand", "1"), { runId: "a", signal: quiet(), onStep })).toEqual(first);
  expect(steps).toEqual(["intake", "plan", "compose"]);
});

test("events report each task's start and end, each step and each piece of the reply, in order", async () => {
  const events: TurnEvent[] = [];
  const { reply } = await offline().runTurn(ask("Forecast demand", "1"), {
    runId: "a",
    signal: quiet(),
    onEvent: (event) => events.push(event),
  });
  const tokens = events.flatMap((event) => (event.type === "token" ? [event.data.text] : []));
  expect(tokens.length).toBeGreaterThan(3);
  expect(tokens.join("")).toBe(reply);
  const told = events.flatMap((event) =>
    event.type === "step" ? [event.data.step] : event.type === "task" ? [`${event.data.step} ${event.data.state}`] : [],
  );
  for (const step of ["intake", "plan", "compose"]) {
    expect(told.indexOf(`${step} started`)).toBeGreaterThanOrEqual(0);
    expect(told.indexOf(step)).toBeGreaterThan(told.indexOf(`${step} started`));
    expect(told).toContain(`${step} finished`);
  }
});

test("a drained run stops after the current step, and the next attempt resumes there", async () => {
  const { runTurn } = offline();
  const drain = new AbortController();
  const steps: string[] = [];
  const leaving = runTurn(ask("Forecast demand", "1"), {
    runId: "a",
    signal: quiet(),
    drain: drain.signal,
    onEvent: (event) => {
      if (event.type !== "task" || event.data.state !== "started") return;
      steps.push(event.data.step);
      if (event.data.step === "intake") drain.abort();
    },
  });
  await expect(leaving).rejects.toBeInstanceOf(DrainedError);
  expect(steps).toEqual(["intake"]);
  const onStep = (step: string) => steps.push(step);
  expect((await runTurn(ask("Forecast demand", "1"), { runId: "a", signal: quiet(), onStep })).reply).toContain(
    "Time-series",
  );
  expect(steps).toEqual(["intake", "plan", "compose"]);
});

test("a run drained before its start does nothing and can run later", async () => {
  const { runTurn } = offline();
  const turn = runTurn(ask("Forecast demand", "1"), { runId: "a", signal: quiet(), drain: AbortSignal.abort() });
  await expect(turn).rejects.toBeInstanceOf(DrainedError);
  expect((await runTurn(ask("Forecast demand", "1"), { runId: "a", signal: quiet() })).version).not.toBeNull();
});
