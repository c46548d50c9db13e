import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startEmbeddedPostgres } from "#db";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const dataDir = mkdtempSync(join(tmpdir(), "threadmill-driver-"));
let server: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
beforeAll(async () => {
  server = await startEmbeddedPostgres({ dataDir });
});
afterAll(async () => {
  await server.stop(0);
  rmSync(dataDir, { recursive: true, force: true });
});

const run = (...args: string[]) =>
  spawnSync(process.execPath, ["--conditions=source", "--import", "tsx", ...args], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 30_000,
  });

test("a process survives the driver's write to a closed connection", () => {
  const { stdout, stderr, status } = run("test/late-write.ts", server.url);
  expect({ stdout, stderr, status }).toEqual({ stdout: "true\n", stderr: "", status: 0 });
});

test("any other uncaught error ends the process", () => {
  const script = `import { Database } from "#db"; new Database({ url: ${JSON.stringify(server.url)} }); setTimeout(() => { throw new Error("mine"); });`;
  const { stderr, status } = run("--input-type=module", "--eval", script);
  expect(stderr).toContain("Error: mine");
  expect(status).toBe(1);
});
