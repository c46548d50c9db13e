import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSetupError, errorCode } from "../errors.ts";

/*
 * A data folder has two lock files. The filesystem enforces the locks for every process that sees the folder, across
 * networks, process namespaces and containers. It drops a lock when the last holder ends, also after a kill:
 *
 * - `threadmill.lock`: the launcher holds it while it lives.
 * - `server.lock`: the launcher takes it, the server inherits it, then the launcher closes its own copy. It is free exactly
 *   when no process of a server on this folder lives.
 *
 * On Linux (OFD locks) and macOS (flock) a lock belongs to the open file, and children that inherit the file share it.
 * On Windows a lock belongs to one process, so there is no server lock, and only PostgreSQL's own check remains.
 *
 * Nothing may delete or replace the files: a lock on a file that has lost its name excludes nobody.
 */

const LAUNCHER_LOCK = "threadmill.lock";
const SERVER_LOCK = "server.lock";

/** A data folder; `dataDir` is its name in messages. */
export interface LockedFolder {
  root: string;
  dataDir: string;
}

export interface FileLock {
  /** For a child's `stdio`: the child and its children then share the lock. */
  inherit: number | "ignore";
  /** Closes this process's copy; the lock ends with the last copy. */
  release: () => void;
}

/**
 * Locks the folder for this launcher.
 * @throws DatabaseSetupError when another launcher holds the lock, or the filesystem has no locks.
 */
export async function lockFolder(folder: LockedFolder): Promise<FileLock> {
  const lock = await tryLockFile(folder, LAUNCHER_LOCK);
  if (lock) return lock;
  throw new DatabaseSetupError(
    `DATA_DIR: ${folder.dataDir} is in use by another Threadmill: stop that one, or set DATA_DIR to another folder`,
  );
}

/**
 * Takes the server's lock; undefined while any process of an earlier server holds it. Call it only while holding the
 * folder's lock.
 * @throws DatabaseSetupError when the filesystem has no locks.
 */
export async function tryLockServer(folder: LockedFolder): Promise<FileLock | undefined> {
  if (process.platform === "win32") return { inherit: "ignore", release: () => undefined };
  return tryLockFile(folder, SERVER_LOCK);
}

export function serverLockFile({ root }: LockedFolder): string {
  return join(root, SERVER_LOCK);
}

async function tryLockFile({ root, dataDir }: LockedFolder, name: string): Promise<FileLock | undefined> {
  const tryLock = await loadTryLock();
  // Node.js opens files close-on-exec: a child inherits only the descriptors in its `stdio`.
  const fd = openLockFile(join(root, name), `${dataDir}/${name}`);
  const release = () => closeSync(fd);
  try {
    if (tryLock(fd)) return { inherit: fd, release };
  } catch (error) {
    release();
    throw new DatabaseSetupError(
      `DATA_DIR: the filesystem of ${dataDir} cannot lock files (${errorCode(error) ?? "unknown error"}): set DATA_DIR to a folder on a local disk`,
      { cause: error },
    );
  }
  release();
  return undefined;
}

function openLockFile(path: string, shownAs: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw new DatabaseSetupError(
      `DATA_DIR: ${shownAs} cannot be opened by this user (${errorCode(error) ?? "unknown error"}): start as the user who owns it`,
      { cause: error },
    );
  }
}

/** Loaded lazily: it is native code, which only a process that starts the embedded server needs. */
async function loadTryLock(): Promise<(fd: number) => boolean> {
  try {
    return (await import("fs-native-extensions")).tryLock;
  } catch (error) {
    throw new DatabaseSetupError(
      `DATABASE_URL must be set: on ${process.platform}-${process.arch} files cannot be locked, which the embedded PostgreSQL needs (fs-native-extensions has no build for it)`,
      { cause: error },
    );
  }
}
