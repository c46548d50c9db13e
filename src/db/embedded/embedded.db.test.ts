import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startEmbeddedPostgres } from "./embedded.ts";
import { tryLockServer } from "./folder-lock.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "threadmill-embedded-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));

function kill(signal: NodeJS.Signals): void {
  process.kill(Number(readFileSync(join(dataDir, "postgres/postmaster.pid"), "utf8").split("\n", 1)[0]), signal);
}

async function isServerFree(): Promise<boolean> {
  const lock = await tryLockServer({ root: dataDir, dataDir });
  lock?.release();
  return lock !== undefined;
}

test("a restart that is overtaken by a stop starts no server", async () => {
  const server = await startEmbeddedPostgres({ dataDir });
  expect(await isServerFree()).toBe(false);
  kill("SIGKILL");
  await server.exited();
  const restarted = server.restart();
  await server.stop();
  await restarted;
  const isFree = await isServerFree();
  if (!isFree) kill("SIGQUIT");
  expect(isFree).toBe(true);
});
