import { existsSync } from "node:fs";
import { watch } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test } from "vitest";
import { deferred } from "../test/deferred.ts";
import { alive, build, descendants, endAll, findProcess, freePort, makeFolder, run } from "./start-process.ts";
import { chat, JSON_TYPE, POSTGRES, READY, startReady, stop, turns } from "./start-ready.ts";

beforeAll(build);
afterEach(async () => endAll());

test("the first start is ready, Ctrl-C stops every process, and the second start has the data", async () => {
  const settings = { PORT: await freePort(), DATA_DIR: join(makeFolder(), "data") };
  const first = await startReady(settings);
  const { roles, threadId } = await chat(settings.PORT, "Plan a shop in Go for 50 users");
  expect(roles).toEqual(turns(1));
  expect(first.stdout()).toBe(`Threadmill ready at http://127.0.0.1:${settings.PORT}\n`);
  await stop(first);
  expect(existsSync(join(settings.DATA_DIR, "postgres/postmaster.pid"))).toBe(false);

  const second = await startReady(settings);
  expect((await chat(settings.PORT, "And in Rust?", threadId)).roles).toEqual(turns(2));
  await stop(second);
});

test("a killed worker, API or database restarts, and no message is lost", async () => {
  const settings = { PORT: await freePort(), DATA_DIR: makeFolder() };
  const one = await startReady(settings);
  const { threadId } = await chat(settings.PORT, "Plan a shop in Go");

  process.kill(findProcess(one.pid, "worker/main.js"), "SIGKILL");
  await one.says(/"delayMs":250,"msg":"worker 1 died; starting it again"/);
  await one.says(/"msg":"worker ready"/, 2);
  process.kill(findProcess(one.pid, "server/main.js"), "SIGKILL");
  await one.says(/"delayMs":250,"msg":"api died; starting it again"/);
  await one.says(/Server listening at/, 2);
  expect((await chat(settings.PORT, "And in Rust?", threadId)).roles).toEqual(turns(2));

  const processes = ["worker/main.js", "server/main.js"].map((part) => findProcess(one.pid, part));
  process.kill(findProcess(one.pid, POSTGRES), "SIGKILL");
  await one.says(/"msg":"the embedded PostgreSQL died; starting it again"/);
  await one.says(/"msg":"the embedded PostgreSQL is back"/);
  expect((await chat(settings.PORT, "And in Zig?", threadId)).roles).toEqual(turns(3));
  expect(["worker/main.js", "server/main.js"].map((part) => findProcess(one.pid, part))).toEqual(processes);
  await stop(one);
});

test("the processes of a killed launcher exit, and the next start has the data", async () => {
  const settings = { PORT: await freePort(), DATA_DIR: makeFolder() };
  const killed = await startReady(settings);
  const { threadId } = await chat(settings.PORT, "Plan a shop in Go");
  const leftover = findProcess(killed.pid, POSTGRES);
  process.kill(killed.pid, "SIGKILL");
  await killed.silent;
  expect(alive([leftover])).toEqual([leftover]);

  const second = await startReady(settings);
  expect(alive([leftover])).toEqual([]);
  expect((await chat(settings.PORT, "And in Rust?", threadId)).roles).toEqual(turns(2));

  // Kills the database server too, which leaves a stale lock file. The next start does not wait for the old processes.
  const database = findProcess(second.pid, POSTGRES);
  process.kill(second.pid, "SIGKILL");
  process.kill(database, "SIGKILL");
  const third = await startReady(settings);
  expect((await chat(settings.PORT, "And in Zig?", threadId)).roles).toEqual(turns(3));
  await stop(third);
});

test("of two concurrent starts with one DATA_DIR, one is refused and the other one works", async () => {
  const dataDir = makeFolder();
  const ports = [await freePort(), await freePort()];
  const both = ports.map((port) => run("start", { PORT: port, DATA_DIR: dataDir }));
  const refusedIndex = await Promise.race(both.map(async (one, index) => one.ended.then(() => index)));
  const [refused, other] = refusedIndex === 0 ? both : both.toReversed();
  expect(await refused?.ended).toEqual({ code: 1, signal: null });
  expect(refused?.stderr()).toBe(
    `DATA_DIR: ${dataDir} is in use by another Threadmill: stop that one, or set DATA_DIR to another folder\n`,
  );
  await other?.says(READY);
  expect((await chat(ports[1 - refusedIndex] ?? "", "Plan a shop in Go")).roles).toEqual(turns(1));
  if (other) await stop(other);
});

test("Ctrl-C during the first start leaves no process, and the next start works", async () => {
  const settings = { PORT: await freePort(), DATA_DIR: makeFolder() };
  const abandon = new AbortController();
  const changes = watch(settings.DATA_DIR, { signal: abandon.signal });
  const interrupted = run("start", settings);
  for await (const { filename } of changes) if (filename === "postgres.new") break;
  await stop(interrupted);
  expect(interrupted.stdout()).toBe("");
  await stop(await startReady(settings));
});

test("a second signal stops the product without waiting for jobs", async () => {
  // A model that never answers keeps the worker busy.
  const asked = deferred();
  const model = createServer(() => asked.resolve()).listen(0, "127.0.0.1");
  await new Promise((done) => {
    model.once("listening", done);
  });
  const address = model.address();
  const modelPort = address !== null && typeof address === "object" ? address.port : 0;
  const settings = {
    PORT: await freePort(),
    DATA_DIR: makeFolder(),
    MODEL: "openai:slow",
    OPENAI_API_KEY: "none",
    OPENAI_BASE_URL: `http://127.0.0.1:${modelPort}/v1`,
  };
  const one = await startReady(settings);
  const family = descendants(one.pid).map(({ pid }) => pid);
  const submitted = await fetch(`http://127.0.0.1:${settings.PORT}/api/chat/async`, {
    method: "POST",
    headers: JSON_TYPE,
    body: JSON.stringify({ messages: [{ role: "user", content: "Plan a shop" }] }),
  });
  expect(submitted.status).toBe(200);
  await asked.promise;
  const pressing = setInterval(() => one.signal("SIGINT"), 100);
  // A completed drain would exit with 0.
  const ended = await one.ended.finally(() => clearInterval(pressing));
  expect(ended).toEqual({ code: 130, signal: null });
  expect(alive(family)).toEqual([]);
  model.closeAllConnections();
  await new Promise((done) => {
    model.close(done);
  });
});
