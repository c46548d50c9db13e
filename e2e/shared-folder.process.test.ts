import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test } from "vitest";
import { canUnshare, inNamespaces } from "../test/namespaces.ts";
import { alive, build, descendants, endAll, findProcess, freePort, makeFolder, run } from "./start-process.ts";
import { chat, POSTGRES, READY, startReady, stop, turns } from "./start-ready.ts";

let bystander: ChildProcess | undefined;

beforeAll(build);
afterEach(async () => {
  if (bystander && isUnharmed(bystander)) {
    const ended = once(bystander, "exit");
    bystander.kill("SIGKILL");
    await ended;
  }
  bystander = undefined;
  await endAll();
});

function isUnharmed(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

const isPermitted = canUnshare("two starts on one DATA_DIR in separate namespaces");

test.runIf(isPermitted).each([
  ["a separate network namespace", inNamespaces(["--net"])],
  ["separate network, IPC and process namespaces, like a container", inNamespaces(["--net", "--ipc", "--pid"])],
])("a second start with %s is refused and does not harm the first start", async (_, wrapper) => {
  const settings = { PORT: await freePort(), DATA_DIR: makeFolder() };
  const first = await startReady(settings);
  const postmaster = findProcess(first.pid, POSTGRES);
  const { threadId } = await chat(settings.PORT, "Plan a shop in Go");

  const second = run("start", settings, wrapper);
  expect(await second.ended).toEqual({ code: 1, signal: null });
  expect(second.stderr()).toBe(
    `DATA_DIR: ${settings.DATA_DIR} is in use by another Threadmill: stop that one, or set DATA_DIR to another folder\n`,
  );

  expect((await chat(settings.PORT, "And in Rust?", threadId)).roles).toEqual(turns(2));
  expect(findProcess(first.pid, POSTGRES)).toBe(postmaster);
  expect(first.stderr()).not.toContain("the embedded PostgreSQL died");
  await stop(first);
});

test.runIf(isPermitted)("a server left by a killed start in another container makes the next start fail", async () => {
  const dataDir = makeFolder();
  const port = await freePort();
  // The launcher is not the first process of the container, so the server survives it.
  const wrapper = [...inNamespaces(["--pid"]), "sh", "-c", '"$@" & exec tail -f /dev/null', "sh"];
  const container = run("start", { PORT: port, DATA_DIR: dataDir }, wrapper);
  await container.says(READY);
  const { threadId } = await chat(port, "Plan a shop in Go");
  const postmaster = findProcess(container.pid, POSTGRES);
  process.kill(findProcess(container.pid, "run.mjs start"), "SIGKILL");
  const isLeft = () => descendants(container.pid).every(({ args }) => !args.includes("main.js"));
  await expect.poll(isLeft, { timeout: 60_000 }).toBe(true);

  // Outside the container, the recorded pid belongs to another process, here one with the data folder as its directory.
  // The frozen server does not notice the changed file.
  process.kill(postmaster, "SIGSTOP");
  const data = join(dataDir, "postgres");
  bystander = spawn("sleep", ["1000"], { cwd: data, stdio: "ignore" });
  const pidFile = join(data, "postmaster.pid");
  writeFileSync(pidFile, readFileSync(pidFile, "utf8").replace(/^\d+/, String(bystander.pid)));
  const refused = run("start", { PORT: await freePort(), DATA_DIR: dataDir });
  expect(await refused.ended).toEqual({ code: 1, signal: null });
  expect(refused.stderr()).toBe(
    `DATA_DIR: a PostgreSQL of another container or of an earlier run still uses ${dataDir} and cannot be ended from here: stop that one first, or set DATA_DIR to another folder\n`,
  );
  expect(isUnharmed(bystander)).toBe(true);
  expect(alive([postmaster])).toEqual([postmaster]);

  container.signal("SIGKILL");
  bystander.kill("SIGKILL");
  await expect.poll(() => alive([postmaster]), { timeout: 60_000 }).toEqual([]);
  const next = { PORT: await freePort(), DATA_DIR: dataDir };
  const last = await startReady(next);
  expect((await chat(next.PORT, "And in Rust?", threadId)).roles).toEqual(turns(2));
  await stop(last);
});
