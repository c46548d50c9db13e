import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { lockFolder, tryLockServer } from "./folder-lock.ts";
import type { LockedFolder } from "./folder-lock.ts";

const MODULE = fileURLToPath(new URL("folder-lock.ts", import.meta.url));
const fault = vi.hoisted(() => ({ code: "" }));
vi.mock(import("fs-native-extensions"), async (importOriginal) => {
  const { tryLock } = await importOriginal();
  return {
    tryLock: (fd) => {
      if (fault.code !== "") throw Object.assign(new Error("refused"), { code: fault.code });
      return tryLock(fd);
    },
  };
});

let folder: LockedFolder;
const children: ChildProcess[] = [];

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "threadmill-lock-"));
  folder = { root, dataDir: "./shown" };
});

afterEach(async () => {
  fault.code = "";
  for (const child of children.splice(0)) await kill(child);
  rmSync(folder.root, { recursive: true });
});

function track(child: ChildProcess): ChildProcess {
  children.push(child);
  return child;
}

/** Kills a child's whole process group. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.signalCode !== null) return;
  const ended = once(child, "exit");
  process.kill(-child.pid, "SIGKILL");
  await ended;
}

/** Starts a process that locks the folder and lives until it is killed. */
async function lockElsewhere(): Promise<ChildProcess> {
  const code = `const { lockFolder } = await import(${JSON.stringify(MODULE)});
    await lockFolder(${JSON.stringify(folder)});
    process.stdout.write("locked");
    setInterval(() => undefined, 60_000);`;
  const child = spawn(process.execPath, ["--import=tsx", "--input-type=module", "-e", code], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  track(child);
  await once(child.stdout, "data");
  return child;
}

async function isServerFree(): Promise<boolean> {
  const lock = await tryLockServer(folder);
  lock?.release();
  return lock !== undefined;
}

test("locking a locked folder fails with the remedy until the holder releases it", async () => {
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow(
    "DATA_DIR: ./shown is in use by another Threadmill: stop that one, or set DATA_DIR to another folder",
  );
  lock.release();
  (await lockFolder(folder)).release();
});

test("a lock of another process excludes this one until that process is killed", { timeout: 60_000 }, async () => {
  const holder = await lockElsewhere();
  await expect(lockFolder(folder)).rejects.toThrow("is in use by another Threadmill");
  await kill(holder);
  (await lockFolder(folder)).release();
});

test.skipIf(process.platform === "win32")("a child does not inherit the folder's lock", async () => {
  const lock = await lockFolder(folder);
  track(spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }));
  lock.release();
  await expect(lockFolder(folder).then((next) => next.release())).resolves.toBeUndefined();
});

test.skipIf(process.platform === "win32")(
  "the server's lock stays until the last process that inherited it has ended",
  async () => {
    const lock = await tryLockServer(folder);
    if (!lock) throw new Error("a new folder is locked");
    // Stands for a postmaster and a backend that outlives it.
    const server = track(
      spawn("sh", ["-c", "sleep 1000 >&- & echo $!; exec sleep 1000 >&-"], {
        detached: true,
        stdio: ["ignore", "pipe", "inherit", lock.inherit],
      }),
    );
    lock.release();
    const backend = Number(server.stdout && (await text(server.stdout)));
    expect(await isServerFree()).toBe(false);

    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
    expect(await isServerFree()).toBe(false);

    process.kill(backend, "SIGKILL");
    await expect.poll(isServerFree, { timeout: 30_000 }).toBe(true);
  },
);

test.each(["ENOLCK", "ENOTSUP", "ENOSYS", "EINVAL"])(
  "a filesystem without locks (%s) is refused with the remedy",
  async (code) => {
    fault.code = code;
    await expect(lockFolder(folder)).rejects.toThrow(
      `DATA_DIR: the filesystem of ./shown cannot lock files (${code}): set DATA_DIR to a folder on a local disk`,
    );
  },
);
