import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { deferred } from "../test/deferred.ts";
import { alive, build, descendants, endAll, freePort, makeFolder, runScript } from "./start-process.ts";
import { JSON_TYPE, READY } from "./start-ready.ts";

/** A model that never answers, so that a drain takes the whole grace period. */
const model = createServer(() => asked.resolve());
let asked = deferred();

beforeAll(async () => {
  await build();
  await new Promise<void>((done) => {
    model.listen(0, "127.0.0.1", done);
  });
});
beforeEach(() => {
  asked = deferred();
});
afterEach(async () => {
  await endAll();
  model.closeAllConnections();
});
afterAll(async () => {
  await new Promise((done) => {
    model.close(done);
  });
});

function modelUrl(): string {
  const address = model.address();
  return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}/v1`;
}

test.each([
  // npm forwards the signal only to its shell. If the shell dies, npm does not wait for the drain.
  ["npm alone", (pid: number) => process.kill(pid, "SIGTERM")],
  ["the whole process group", (pid: number) => process.kill(-pid, "SIGTERM")],
])("SIGTERM to %s drains the product and stops every process", async (_name, send) => {
  const settings = { PORT: await freePort(), DATA_DIR: makeFolder(), SHUTDOWN_GRACE_MS: "2000" };
  const provider = { MODEL: "openai:slow", OPENAI_API_KEY: "none", OPENAI_BASE_URL: modelUrl() };
  const npm = runScript("start", { ...settings, ...provider });
  await npm.says(READY);
  const submitted = await fetch(`http://127.0.0.1:${settings.PORT}/api/chat/async`, {
    method: "POST",
    headers: JSON_TYPE,
    body: JSON.stringify({ messages: [{ role: "user", content: "Plan a shop" }] }),
  });
  expect(submitted.status).toBe(200);
  await asked.promise;
  const family = descendants(npm.pid).map(({ pid }) => pid);
  send(npm.pid);
  await npm.silent;
  expect(npm.stderr()).toContain('"signal":"SIGTERM","msg":"stopping after running jobs reach a safe point');
  expect(npm.stderr()).toContain('"msg":"worker stopped"');
  expect(npm.stderr()).not.toContain('"msg":"stopping at once');
  expect(alive(family)).toEqual([]);
});
