import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

test(
  "every promise is kept for 40 s under killed and frozen workers and database crashes",
  { timeout: 300_000 },
  async () => {
    const chaos = spawn(process.execPath, ["chaos/run.mjs", "--seconds", "40", "--jobs", "101"], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [chaos.stdout, chaos.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(chaos, "close")) as [number | null];
    expect(output).toContain("chaos: every promise was kept");
    expect(code, output).toBe(0);
    // A run without load or faults would prove nothing.
    const counted = (name: string) => Number(new RegExp(`"${name}":(\\d+)`).exec(output)?.[1] ?? 0);
    expect(counted("acknowledged")).toBeGreaterThan(100);
    expect(counted("turns")).toBeGreaterThan(10);
    expect(counted("reaped")).toBeGreaterThan(5);
    expect(counted("cancels_judged")).toBeGreaterThan(0);
    expect(counted("runs")).toBeGreaterThan(100);
    expect(
      counted("killed") + counted("frozen") + counted("drained") + counted("database") + counted("cut"),
    ).toBeGreaterThan(5);
  },
);

test("the fault points of a normal build are empty", () => {
  const built = readFileSync(`${ROOT}/dist/fault/index.js`, "utf8");
  expect(built).toMatch(/export function faultPoint\(_name\) \{\s*\/\/[^\n]*\s*\}/);
  expect(built).not.toContain("kill");
  const { imports } = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8")) as {
    imports: Record<string, Record<string, string>>;
  };
  expect(imports["#fault"]).toEqual({
    types: "./src/fault/index.ts",
    chaos: "./dist/fault/armed.js",
    source: "./src/fault/index.ts",
    default: "./dist/fault/index.js",
  });
});
