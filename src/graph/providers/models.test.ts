import { afterEach, describe, expect, test } from "vitest";
import { startModelServer } from "../../../test/model-server.ts";
import type { Provider } from "../../../test/model-server.ts";
import { RunSaver } from "../../../test/run-saver.ts";
import { buildMlWorkflow, openModel, PermanentGraphError, RateLimitedGraphError } from "../index.ts";
import type { ModelUse, TurnEvent } from "../index.ts";
import { readRetryAfter } from "./read-model-error.ts";

const input = { threadId: "t", messageId: "1", content: "Recommend films to our users", history: [] };
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A turn through the provider's real client, against a local server. */
async function open(provider: Provider, modelIdleMs = 20_000) {
  const server = await startModelServer(provider);
  cleanups.push(async () => server.close());
  const model = await openModel(`${provider}:m`, {
    openaiBaseUrl: server.url,
    anthropicBaseUrl: server.url,
    ollamaBaseUrl: server.url,
    openaiApiKey: "key-of-openai",
    anthropicApiKey: "key-of-anthropic",
  });
  const { runTurn } = buildMlWorkflow({ checkpointer: new RunSaver(), model, modelIdleMs });
  const events: TurnEvent[] = [];
  const steps: string[] = [];
  const uses: ModelUse[] = [];
  return {
    server,
    events,
    uses,
    steps,
    run: async (signal = new AbortController().signal) =>
      runTurn(input, {
        runId: "a",
        signal,
        onEvent: (event) => events.push(event),
        onStep: (step) => steps.push(step),
        onUse: (use) => uses.push(use),
      }),
    tokens: () => events.flatMap((event) => (event.type === "token" ? [event.data.text] : [])),
  };
}
const plain = (error: unknown) => !(error instanceof PermanentGraphError) && !(error instanceof RateLimitedGraphError);

describe.each<Provider>(["openai", "anthropic", "ollama"])("%s", (provider) => {
  test("streams each piece of its answer once and counts tokens; the design comes from the engine", async () => {
    const { server, run, tokens, uses } = await open(provider);
    server.behave({ kind: "answer", texts: ["Take ", "two ", "towers."] });
    const output = await run();
    expect(output.reply).toBe("Take two towers.");
    expect(tokens()).toEqual(["Take ", "two ", "towers."]);
    expect(uses).toEqual([{ model: `${provider}:m`, inputTokens: 11, outputTokens: 7 }]);
    expect(output.version?.requirements).toMatchObject({ task: "recommendation" });
    expect(JSON.stringify(server.requests[0]?.body)).toContain("two-tower retrieval");
    expect(JSON.stringify(server.requests[0]?.body)).toContain(input.content);
  });

  test("429 gives the delay, and the client does not retry", async () => {
    const { server, run } = await open(provider);
    server.behave({ kind: "refuse", status: 429, headers: { "retry-after": "7" } });
    const error = await run().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RateLimitedGraphError);
    expect(error).toMatchObject({ retryAfterMs: 7_000 });
    expect(server.requests).toHaveLength(1);
  });

  test.each([401, 403, 404])("%i is permanent, and the error does not contain the key", async (status) => {
    const { server, run } = await open(provider);
    server.behave({ kind: "refuse", status });
    const error = await run().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PermanentGraphError);
    expect((error as Error).message).toMatch(/MODEL/);
    expect((error as Error).message).not.toContain("key-of");
    expect(server.requests).toHaveLength(1);
  });

  test("500 is worth a retry, which runs only the step that called the model", async () => {
    const { server, run, steps } = await open(provider);
    server.behave({ kind: "refuse", status: 500 });
    expect(await run().catch(plain)).toBe(true);
    server.behave({ kind: "answer", texts: ["now"] });
    expect((await run()).reply).toBe("now");
    expect(steps).toEqual(["intake", "plan", "compose"]);
  });

  test.each([true, false])(
    "a broken stream (cleanly: %s) is worth a retry and leaves no partial reply",
    async (cleanly) => {
      const { server, run } = await open(provider);
      server.behave({ kind: "break", cleanly });
      expect(await run().catch(plain)).toBe(true);
      server.behave({ kind: "answer", texts: ["whole"] });
      expect((await run()).reply).toBe("whole");
    },
  );

  test.each([true, false])("a call to a silent model (after a first piece: %s) times out", async (afterFirst) => {
    const { server, run } = await open(provider, 150);
    server.behave({ kind: "hang", afterFirst });
    await expect(run()).rejects.toThrow("silent for 150 ms");
  });

  test("an abort ends a call to a silent model at once", async () => {
    const { server, run } = await open(provider);
    server.behave({ kind: "hang", afterFirst: false });
    const stop = new AbortController();
    const asked = server.nextRequest();
    const turn = run(stop.signal);
    await asked;
    stop.abort(new Error("lease lost"));
    await expect(turn).rejects.toThrow("lease lost");
  });
});

test("an exhausted OpenAI quota is permanent, although its status is 429", async () => {
  const { server, run } = await open("openai");
  server.behave({ kind: "refuse", status: 429, body: { error: { code: "insufficient_quota", message: "no" } } });
  await expect(run()).rejects.toBeInstanceOf(PermanentGraphError);
});

test.each([
  [{ "retry-after": "2.5" }, 2_500],
  [{ "retry-after-ms": "120", "retry-after": "9" }, 120],
  [{ "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", date: "Wed, 21 Oct 2026 07:28:00 GMT" }, 30_000],
  [{ "retry-after": "999999" }, 3_600_000],
  [{ "retry-after": "soon" }, null],
  [{}, null],
])("%j asks to wait %s ms", (headers, expected) => {
  expect(readRetryAfter(new Headers(headers))).toBe(expected);
});

test.each(["gpt-4", "openai:", "azure:gpt", ""])("MODEL=%s is rejected, and the error names MODEL", async (spec) => {
  await expect(openModel(spec, {})).rejects.toThrow(/MODEL must be provider:name/);
});
