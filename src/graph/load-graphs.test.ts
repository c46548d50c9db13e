import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { RunSaver } from "../../test/run-saver.ts";
import { startModelServer } from "../../test/model-server.ts";
import { loadGraphs, readGraphEnv } from "./load-graphs.ts";

const quiet = () => new AbortController().signal;

test("builders, compiled graphs and functions load, and each broken entry gives a one-line error", async () => {
  const { graphs, broken } = await loadGraphs("test/graphs/langgraph.json");
  expect(graphs.map(({ name, description }) => [name, description])).toEqual([
    ["twice", null],
    ["at-once", "Asks two questions at once"],
    ["hurried", null],
    ["echo", null],
    ["silent", null],
    ["plain", null],
    ["held", null],
  ]);
  const faults = Object.fromEntries(broken.map(({ name, error }) => [name, error]));
  expect(faults).toMatchObject({
    stops: expect.stringContaining("call interrupt() in the node instead") as string,
    "no-conversation": expect.stringContaining("a channel named messages") as string,
    "no-graph": "its export is not a graph",
    "no-export": "./questions.ts has no export nothing",
    "no-file": expect.stringContaining("nowhere.ts") as string,
    broken: "the module is broken",
    "bad name!": expect.stringContaining("letters, digits") as string,
    "bad-entry": expect.stringContaining("./path.ts:export") as string,
  });
  for (const { error } of broken) expect(error).not.toContain("\n");
  // Loading TypeScript is slow on a busy machine.
}, 30_000);

test.each([
  ["nowhere.json", /nowhere\.json cannot be read/],
  ["README.md", /README\.md is not valid JSON/],
  ["package.json", /must have graphs/],
])("%s is rejected with the reason", async (file, message) => {
  await expect(loadGraphs(file)).rejects.toThrow(message);
});

test.each(["plain", "held"])(
  "graph %s (JavaScript, default export, zod state or agent) runs with the variables of the file",
  async (name) => {
    const { graphs } = await loadGraphs("test/graphs/langgraph.json");
    for (const [key, value] of Object.entries(await readGraphEnv("test/graphs/langgraph.json"))) vi.stubEnv(key, value);
    const graph = graphs.find((one) => one.name === name);
    const input = { threadId: "t", messageId: "m", content: "Ada", history: [] };
    const ended = await graph?.runTurn(new RunSaver(), input, { runId: "r", signal: quiet() });
    vi.unstubAllEnvs();
    expect(ended).toEqual({ waits: false, output: { reply: "Hello, Ada" } });
  },
);

test("variables may be in a separate file, and a missing file counts as empty", async () => {
  const folder = await mkdtemp(join(tmpdir(), "threadmill-graphs-"));
  const file = join(folder, "langgraph.json");
  await writeFile(file, JSON.stringify({ graphs: {}, env: "./.env" }));
  expect(await readGraphEnv(file)).toEqual({});
  await writeFile(join(folder, ".env"), 'KEY="a b"\nOTHER=c # no\n');
  expect(await readGraphEnv(file)).toEqual({ KEY: "a b", OTHER: "c" });
  await rm(folder, { recursive: true });
});

test("a graph without a reply fails permanently", async () => {
  const { graphs } = await loadGraphs("test/graphs/langgraph.json");
  const silent = graphs.find(({ name }) => name === "silent");
  const input = { threadId: "t", messageId: "m", content: "hello", history: [] };
  await expect(silent?.runTurn(new RunSaver(), input, { runId: "r", signal: quiet() })).rejects.toMatchObject({
    name: "PermanentGraphError",
    message: expect.stringContaining("without a reply") as string,
  });
});

test("the example agent asks for approval, then orders with its tool and replies", async () => {
  const server = await startModelServer("openai");
  vi.stubEnv("OPENAI_BASE_URL", server.url);
  try {
    const { graphs, broken } = await loadGraphs("examples/langgraph.json");
    expect(broken).toEqual([]);
    const agent = graphs.find(({ name }) => name === "agent");
    const saver = new RunSaver();
    const input = { threadId: "t", messageId: "m", content: "Order two GPUs", history: [] };
    const uses: unknown[] = [];
    const options = { runId: "r", signal: quiet(), onUse: (use: unknown) => uses.push(use) };
    server.behave({ kind: "call", tool: "place_order", args: { part: "gpu", quantity: 2 } });
    const asked = await agent?.runTurn(saver, input, options);
    if (!asked?.waits) throw new Error("the agent did not ask");
    expect(asked.questions).toMatchObject([{ kind: "approval", value: { message: "Order 2 × gpu for $3798?" } }]);
    server.behave({ kind: "answer", texts: ["Done: two GPUs are on their way."] });
    const answers = new Map([[asked.questions[0]?.id ?? "", { approved: true }]]);
    const ended = await agent?.runTurn(saver, input, { ...options, answers });
    expect(ended).toEqual({ waits: false, output: { reply: "Done: two GPUs are on their way." } });
    expect(JSON.stringify(server.requests.at(-1)?.body)).toContain("Ordered 2 × gpu");
    const used = { model: "openai:gpt-4.1-mini", inputTokens: 11, outputTokens: 7 };
    expect(uses).toEqual([used, used]);
  } finally {
    vi.unstubAllEnvs();
    await server.close();
  }
  // Loading the provider's package is slow on a busy machine.
}, 30_000);
