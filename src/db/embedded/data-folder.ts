import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runAs } from "./account.ts";
import type { Account, Binaries } from "./account.ts";
import { DatabaseSetupError, errorCode } from "../errors.ts";

const PASSWORD_FD = 3;

export interface Installation {
  root: string;
  data: string;
  /** The name of `root` in messages. */
  dataDir: string;
  binaries: Binaries;
  account: Account | undefined;
  password: string;
}

export interface DataFolder {
  data: string;
  /**
   * The generated password of the folder's database.
   * @throws DatabaseSetupError when these binaries and this password cannot open that database.
   */
  readPassword: (binaries: Binaries) => string;
}

/**
 * Creates the folder, or checks that the existing folder can be used; `shownAs` is its name in messages.
 * @throws DatabaseSetupError naming DATA_DIR and the remedy.
 */
export function openFolder(root: string, shownAs: string): DataFolder {
  const data = join(root, "postgres");
  try {
    mkdirSync(root, { recursive: true });
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
    if (existsSync(data)) accessSync(data, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new DatabaseSetupError(describeFault(error, shownAs), { cause: error });
  }
  return {
    data,
    readPassword: (binaries) => {
      checkCluster(root, binaries, shownAs);
      return readPassword(root, shownAs);
    },
  };
}

function describeFault(error: unknown, shownAs: string): string {
  const code = errorCode(error) ?? "unknown error";
  if (code === "EEXIST" || code === "ENOTDIR")
    return `DATA_DIR: ${shownAs} is not a folder: set DATA_DIR to a folder, or to a path where one can be made`;
  return `DATA_DIR: ${shownAs} cannot be written by this user (${code}): set DATA_DIR to a folder that can, or start as the user who owns it`;
}

function checkCluster(root: string, binaries: Binaries, shownAs: string): void {
  const data = join(root, "postgres");
  if (!existsSync(data)) return;
  const remedy = "set DATA_DIR to another folder";
  const versionFile = join(data, "PG_VERSION");
  if (!existsSync(versionFile)) {
    if (readdirSync(data).length === 0) return;
    throw new DatabaseSetupError(`DATA_DIR: ${shownAs}/postgres holds files that are not PostgreSQL's: ${remedy}`);
  }
  const found = readFileSync(versionFile, "utf8").trim();
  const own = /(\d+)[.\w]*\s*$/.exec(spawnSync(binaries.postgres, ["-V"], { cwd: "/", encoding: "utf8" }).stdout)?.[1];
  if (own !== undefined && found !== own)
    throw new DatabaseSetupError(
      `DATA_DIR: ${shownAs} holds data of PostgreSQL ${found}, but the embedded one is ${own}: ${remedy}, or move the data with pg_dump`,
    );
  if (!existsSync(join(root, "postgres-password")))
    throw new DatabaseSetupError(
      `DATA_DIR: ${shownAs}/postgres is a database that Threadmill did not make, or its file postgres-password is gone: restore that file, or ${remedy}`,
    );
}

function readPassword(root: string, shownAs: string): string {
  const file = join(root, "postgres-password");
  try {
    // A first start that was killed may have left an empty file.
    if (!existsSync(file) || readFileSync(file, "utf8").trim() === "")
      writeFileSync(file, randomBytes(24).toString("base64url"), { mode: 0o600 });
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new DatabaseSetupError(describeFault(error, `${shownAs}/postgres-password`), { cause: error });
  }
}

/**
 * Creates the database if there is none. A run that is killed meanwhile leaves nothing that looks like a database.
 * @throws DatabaseSetupError when that fails, with the reason.
 */
export async function initialise({ root, data, binaries, password, account }: Installation): Promise<void> {
  if (existsSync(join(data, "PG_VERSION"))) return;
  const fresh = join(root, "postgres.new");
  const passwordFile = join(root, "postgres-init");
  rmSync(fresh, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (account) for (const path of [fresh, passwordFile]) chownSync(path, account.uid, account.gid);
  // By descriptor: the account may be unable to enter the folder of the file.
  const byNumber = `/proc/self/fd/${PASSWORD_FD}`;
  const passwordFd = openSync(passwordFile, "r");
  const { command, args, options } = runAs(account, {
    command: binaries.initdb,
    folder: fresh,
    args: [
      "--username=postgres",
      "--auth=scram-sha-256",
      `--pwfile=${existsSync("/proc/self/fd") ? byNumber : passwordFile}`,
      "--encoding=UTF8",
      "--locale=C",
    ],
  });
  // Detached, like the server: Ctrl-C must reach only the launcher.
  const run = spawn(command, args, { ...options, detached: true, stdio: ["ignore", "ignore", "pipe", passwordFd] });
  closeSync(passwordFd);
  const fault = await untilDone(run);
  rmSync(passwordFile, { force: true });
  if (fault !== undefined)
    throw new DatabaseSetupError(`DATA_DIR: the embedded PostgreSQL could not be set up in ${root}: ${fault}`);
  renameSync(fresh, data);
}

/** Undefined after success, else the last line of standard error. */
async function untilDone(run: ChildProcess): Promise<string | undefined> {
  const said = run.stderr ? text(run.stderr) : Promise.resolve("");
  try {
    const code = await new Promise<number | null>((done, failed) => {
      run.once("error", failed);
      run.once("close", done);
    });
    return code === 0 ? undefined : (await said).trim().split("\n").at(-1);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
