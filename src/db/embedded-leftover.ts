import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { DatabaseSetupError, errorCode } from "./errors.ts";

const END_LIMIT_MS = 30_000;

/**
 * Ends a server that a killed run left behind; its data is whole, for the server itself was not killed. Call it only
 * while holding the folder's lock, which says that nobody needs that server.
 * @throws DatabaseSetupError when the server does not end.
 */
export async function endLeftover(data: string): Promise<void> {
  const pidFile = join(data, "postmaster.pid");
  if (!existsSync(pidFile)) return;
  const [pidLine, recordedFolder = ""] = readFileSync(pidFile, "utf8").split("\n");
  const pid = Number(pidLine);
  if (!exists(pid)) return;
  if (!isAlive(pid) || !isServerOf(pid, { data, recordedFolder })) {
    // The dead server's number is still taken, by another process or by itself where nobody waited for it. PostgreSQL
    // would believe that it runs; its shared memory still tells whether any process of that server does.
    rmSync(pidFile, { force: true });
    return;
  }
  process.kill(pid, "SIGINT");
  const lastLook = performance.now() + END_LIMIT_MS;
  while (isAlive(pid) && performance.now() < lastLook) await wait(25);
  if (isAlive(pid))
    throw new DatabaseSetupError(`DATA_DIR: the PostgreSQL of an earlier run (process ${pid}) does not end: end it`);
}

function exists(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

/** False also for a process that ended but that its parent has not waited for, as a container without init has them. */
function isAlive(pid: number): boolean {
  if (!exists(pid)) return false;
  try {
    return !existsSync("/proc/self/stat") || !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

/** A server's current folder is its data folder; where /proc does not tell, its command line names that. */
function isServerOf(pid: number, { data, recordedFolder }: { data: string; recordedFolder: string }): boolean {
  if (existsSync("/proc/self/cwd")) {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
    } catch {
      return false;
    }
  }
  const shown = spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  return shown.status === 0 && shown.stdout.includes(recordedFolder);
}
