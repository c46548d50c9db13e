import { renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { endAll, freePort, makeFolder, runScript } from "./start-process.ts";
import { JSON_TYPE, READY } from "./start-ready.ts";

const PACKAGES = fileURLToPath(new URL("../node_modules", import.meta.url));
const graphThatSays = (text: string) => `
import { AIMessage } from "@langchain/core/messages";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
export const graph = new StateGraph(MessagesAnnotation)
  .addNode("say", () => ({ messages: [new AIMessage(${JSON.stringify(text)})] }))
  .addEdge(START, "say");
`;

afterEach(async () => endAll());

test("npm run dev serves the page, and uses the current graph after each save by renaming", async () => {
  const folder = makeFolder();
  const replace = (text: string) => {
    writeFileSync(join(folder, "graph.ts.new"), graphThatSays(text));
    renameSync(join(folder, "graph.ts.new"), join(folder, "graph.ts"));
  };
  symlinkSync(PACKAGES, join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "langgraph.json"), '{ "graphs": { "say": "./graph.ts:graph" } }');
  replace("first");
  const settings = { PORT: await freePort(), DATA_DIR: makeFolder(), LANGGRAPH_CONFIG: join(folder, "langgraph.json") };
  const dev = runScript("dev", settings);
  await dev.says(READY);
  const origin = `http://127.0.0.1:${settings.PORT}`;
  /** Returns the graph's reply; undefined while the processes restart. */
  const ask = async (): Promise<string | undefined> => {
    const body = JSON.stringify({ graph: "say", content: "Go" });
    const response = await fetch(`${origin}/api/trpc/chat.send`, { method: "POST", headers: JSON_TYPE, body });
    const answer = (await response.json().catch(() => undefined)) as { result?: { data: { reply: string } } };
    return answer?.result?.data.reply;
  };
  const page = await fetch(origin, { headers: { accept: "text/html" } });
  expect(page.status).toBe(200);
  expect(await page.text()).toContain("/@vite/client");

  expect(await ask()).toBe("first");
  for (const text of ["second", "third"]) {
    replace(text);
    await expect.poll(ask, { timeout: 60_000 }).toBe(text);
  }
  dev.signal("SIGTERM");
  await dev.silent;
  expect(dev.stderr()).toContain('"msg":"the sources have changed; restarting the processes"');
});
