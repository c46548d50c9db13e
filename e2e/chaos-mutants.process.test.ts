import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

async function runChaos(...args: string[]): Promise<{ code: number | null; output: string }> {
  const settings = ["--no-faults", "--workers", "2", "--seconds", "6", "--jobs", "80", "--seed", "3"];
  const chaos = spawn(process.execPath, ["chaos/run.mjs", ...settings, ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [chaos.stdout, chaos.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(chaos, "close")) as [number | null];
  return { code, output };
}

test.each([
  ["cancel", ["a job with an acknowledged cancel ends as cancelled", "no handler starts after an acknowledged cancel"]],
  [
    "limits",
    [
      "a limit never has more concurrent claims than it allows",
      "a limit never has more concurrent handlers than it allows",
    ],
  ],
  ["twice", ["a handler starts at most once per attempt"]],
])("the checker finds exactly the broken promises of the mutant %s", async (mutant, promises) => {
  const { code, output } = await runChaos("--mutant", mutant);
  const broken = [...output.matchAll(/^BROKEN ([^:]+):/gm)].map(([, promise]) => promise);
  expect(broken, output).toEqual(promises);
  expect(code).toBe(1);
});

test("the checker finds no broken promise in the product", async () => {
  const { code, output } = await runChaos();
  expect(output).toContain("chaos: every promise was kept");
  expect(code).toBe(0);
});
