import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { serverLockFile, tryLockServer } from "./folder-lock.ts";
import type { FileLock, LockedFolder } from "./folder-lock.ts";
import { DatabaseSetupError } from "../errors.ts";

/** A leftover server writes a checkpoint before it stops. */
const END_LIMIT_MS = 30_000;
/** Backends of a killed server need a moment to notice its death and exit. */
const ORPHANS_LIMIT_MS = 5_000;
const LOOK_EVERY_MS = 25;
const HAS_PROC = existsSync("/proc/self/fd");

interface ServerFolder extends LockedFolder {
  /** The folder of the server's own files. */
  data: string;
}

/**
 * Takes the lock that the next server inherits. Ends the server of a killed run, but only a postmaster that is proven to
 * belong to this folder. Its data is intact, because the server itself was not killed. Call it only while holding the
 * folder's lock, which proves that no launcher needs that server.
 * @throws DatabaseSetupError when a process that must not be ended here still uses the data; the message names the remedy.
 */
export async function lockServer(folder: ServerFolder): Promise<FileLock> {
  let postmaster: number | undefined;
  let lastLook = performance.now() + ORPHANS_LIMIT_MS;
  for (;;) {
    const lock = await tryLockServer(folder);
    if (lock) return clearPidFile(folder, lock);
    if (postmaster === undefined) {
      postmaster = findPostmaster(folder);
      if (postmaster !== undefined) {
        interrupt(postmaster);
        lastLook = performance.now() + END_LIMIT_MS;
      }
    }
    if (performance.now() > lastLook) throw new DatabaseSetupError(describe(folder, postmaster));
    await wait(LOOK_EVERY_MS);
  }
}

function describe({ dataDir }: ServerFolder, postmaster: number | undefined): string {
  if (postmaster !== undefined)
    return `DATA_DIR: the PostgreSQL of an earlier run (process ${postmaster}) does not end: end it`;
  return `DATA_DIR: a PostgreSQL of another container or of an earlier run still uses ${dataDir} and cannot be ended from here: stop that one first, or set DATA_DIR to another folder`;
}

/**
 * While we hold the server's lock, no server that Threadmill started is alive. PostgreSQL would still trust a stale
 * postmaster.pid whose number another process now has, so the file is removed. On Windows PostgreSQL decides by itself.
 */
function clearPidFile(folder: ServerFolder, lock: FileLock): FileLock {
  if (process.platform === "win32") return lock;
  const recorded = readPidFile(folder);
  if (recorded && hasFolder(recorded, folder)) {
    lock.release();
    throw new DatabaseSetupError(
      `DATA_DIR: ${folder.dataDir}/postgres is in use by process ${recorded.pid}, which this Threadmill did not start: stop that one first, or set DATA_DIR to another folder`,
    );
  }
  rmSync(pidFileOf(folder), { force: true });
  return lock;
}

interface Recorded {
  pid: number;
  data: string;
}

/** The postmaster that holds the server's lock; undefined unless every available check confirms it. */
function findPostmaster(folder: ServerFolder): number | undefined {
  const recorded = readPidFile(folder);
  if (!recorded || !hasFolder(recorded, folder)) return undefined;
  if (HAS_PROC && !(isInOurNamespace(recorded.pid) && hasOpen(recorded.pid, serverLockFile(folder)))) return undefined;
  return recorded.pid;
}

function pidFileOf({ data }: ServerFolder): string {
  return join(data, "postmaster.pid");
}

function readPidFile(folder: ServerFolder): Recorded | undefined {
  const file = pidFileOf(folder);
  if (!existsSync(file)) return undefined;
  const [pidLine, data = ""] = readFileSync(file, "utf8").split("\n");
  const pid = Number(pidLine);
  return Number.isInteger(pid) && pid > 1 ? { pid, data } : undefined;
}

/** A server runs in its data folder; without /proc, its command line names the folder. */
function hasFolder({ pid, data: recordedData }: Recorded, { data }: ServerFolder): boolean {
  if (HAS_PROC) return isSameFile(`/proc/${pid}/cwd`, data);
  const shown = spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  return shown.status === 0 && recordedData !== "" && shown.stdout.includes(recordedData);
}

/** /proc also shows processes of inner namespaces, whose postmaster.pid has numbers of their own namespace. */
function isInOurNamespace(pid: number): boolean {
  return isSameFile(`/proc/${pid}/ns/pid`, "/proc/self/ns/pid");
}

function hasOpen(pid: number, file: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => isSameFile(`/proc/${pid}/fd/${fd}`, file));
  } catch {
    return false;
  }
}

/** Compares identity, not names: another container may mount the file elsewhere. False when either is unreadable. */
function isSameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one, { bigint: true }), statSync(other, { bigint: true })];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}

function interrupt(pid: number): void {
  try {
    process.kill(pid, "SIGINT");
  } catch {
    // It has just ended, or this user may not signal it. The lock shows which.
  }
}
