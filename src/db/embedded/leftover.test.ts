import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { canUnshare, inNamespaces } from "../../../test/namespaces.ts";
import { lockServer } from "./leftover.ts";
import { serverLockFile, tryLockServer } from "./folder-lock.ts";

const IN_DOUBT =
  "DATA_DIR: a PostgreSQL of another container or of an earlier run still uses ./shown and cannot be ended from here: stop that one first, or set DATA_DIR to another folder";
const isLinux = process.platform === "linux";

let folder: { root: string; data: string; dataDir: string };
const children: ChildProcess[] = [];

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "threadmill-leftover-"));
  folder = { root, data: join(root, "postgres"), dataDir: "./shown" };
  mkdirSync(folder.data);
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(folder.root, { recursive: true });
});

/** Starts a process that stands for a server, or for a process that only resembles one. */
function pretend({
  cwd,
  fd,
  command = ["sleep", "1000"],
}: {
  cwd: string;
  fd?: number | "ignore";
  command?: string[];
}) {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { cwd, stdio: ["ignore", "ignore", "ignore", fd ?? "ignore"] });
  children.push(child);
  return child;
}

/** Starts a process that holds the server's lock. */
async function pretendHolder(options: { cwd: string; command?: string[] }): Promise<ChildProcess> {
  const lock = await tryLockServer(folder);
  if (!lock) throw new Error("the lock is taken");
  const child = pretend({ ...options, fd: lock.inherit });
  lock.release();
  return child;
}

function record(pid: number | undefined): void {
  writeFileSync(join(folder.data, "postmaster.pid"), `${pid}\n${folder.data}\n`);
}

function isUnharmed(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

test.runIf(isLinux)("the postmaster of a killed run is ended, then its lock is taken", async () => {
  const postmaster = await pretendHolder({ cwd: folder.data });
  record(postmaster.pid);
  const ended = once(postmaster, "exit");
  const lock = await lockServer(folder);
  expect(await ended).toEqual([null, "SIGINT"]);
  expect(existsSync(join(folder.data, "postmaster.pid"))).toBe(false);
  expect(await tryLockServer(folder)).toBeUndefined();
  lock.release();
});

test.runIf(isLinux)("a process that only runs in the folder is not signalled", { timeout: 60_000 }, async () => {
  const hidden = await pretendHolder({ cwd: "/" });
  const bystander = pretend({ cwd: folder.data });
  record(bystander.pid);
  await expect(lockServer(folder)).rejects.toThrow(IN_DOUBT);
  expect([hidden, bystander].map(isUnharmed)).toEqual([true, true]);
});

test.runIf(isLinux)("a process that only has the lock's file open is not signalled", { timeout: 60_000 }, async () => {
  const hidden = await pretendHolder({ cwd: "/" });
  const fd = openSync(serverLockFile(folder), "r");
  const bystander = pretend({ cwd: "/", fd });
  closeSync(fd);
  record(bystander.pid);
  await expect(lockServer(folder)).rejects.toThrow(IN_DOUBT);
  expect([hidden, bystander].map(isUnharmed)).toEqual([true, true]);
});

test.runIf(isLinux && canUnshare("a server in an inner process namespace"))(
  "a server in an inner process namespace is not signalled",
  { timeout: 60_000 },
  async () => {
    const command = [...inNamespaces(["--pid"]), "sh", "-c", "sleep 1000 & wait"];
    const outer = await pretendHolder({ cwd: folder.data, command });
    const childOf = (pid: number | undefined) =>
      Number(execFileSync("sh", ["-c", 'ps --ppid "$0" -o pid= || :', String(pid)], { encoding: "utf8" }));
    await expect.poll(() => childOf(childOf(outer.pid)), { timeout: 30_000 }).not.toBe(0);
    const inner = childOf(childOf(outer.pid));
    record(inner);
    await expect(lockServer(folder)).rejects.toThrow(IN_DOUBT);
    expect(childOf(childOf(outer.pid))).toBe(inner);
  },
);

test("the pid file of a dead server is removed although another process has its number", async () => {
  record(process.pid);
  const lock = await lockServer(folder);
  lock.release();
  expect(existsSync(join(folder.data, "postmaster.pid"))).toBe(process.platform === "win32");
});

test.runIf(isLinux)("a server that Threadmill did not start is left alone and named in the error", async () => {
  const foreign = pretend({ cwd: folder.data });
  record(foreign.pid);
  await expect(lockServer(folder)).rejects.toThrow(
    `DATA_DIR: ./shown/postgres is in use by process ${foreign.pid}, which this Threadmill did not start: stop that one first, or set DATA_DIR to another folder`,
  );
  expect(isUnharmed(foreign)).toBe(true);
  expect(existsSync(join(folder.data, "postmaster.pid"))).toBe(true);
  (await tryLockServer(folder))?.release();
});
