import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const LOADER = `import { writeSync } from "node:fs";
export async function load(url, context, next) {
  const name = /node_modules\\/(@langchain\\/(?:openai|anthropic|ollama))\\//.exec(url)?.[1];
  if (name) writeSync(1, name + "\\n");
  return next(url, context);
}`;

/** The provider packages that a process loads while it runs the code. */
function loadedBy(code: string): Set<string> {
  const loader = `data:text/javascript,${encodeURIComponent(LOADER)}`;
  const script = `import { register } from "node:module"; register(${JSON.stringify(loader)}); ${code}`;
  const flags = ["--conditions=source", "--import", "tsx", "--input-type=module"];
  const { stdout, status, stderr } = spawnSync(process.execPath, [...flags, "-e", script], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return new Set(stdout.split("\n").filter((line) => line !== ""));
}

test("a provider's package is loaded only when its model is opened", () => {
  const load = 'const { openModel } = await import("#graph");';
  expect(loadedBy(load)).toEqual(new Set());
  expect(loadedBy(`${load} await openModel("ollama:m", {});`)).toEqual(new Set(["@langchain/ollama"]));
}, 30_000);
