import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { appendFileSync, closeSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { chooseAccount, reachableBinaries, runAs } from "./account.ts";
import type { Account, Binaries } from "./account.ts";
import { initialise, openFolder } from "./data-folder.ts";
import { lockServer } from "./leftover.ts";
import { lockFolder } from "./folder-lock.ts";
import type { FileLock } from "./folder-lock.ts";
import { DatabaseSetupError, errorCode } from "../errors.ts";

const START_LIMIT_MS = 60_000;
const FORCE_AFTER_MS = 10_000;
const PORT_TRIES = 5;
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;
const SETTINGS = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"];

export interface EmbeddedPostgres {
  /** Holds the generated password; it stays the same over a restart. */
  url: string;
  /** Resolves when the server that now runs has ended, for whatever reason. */
  exited: () => Promise<void>;
  /**
   * Starts a server that died again, on the same port; what was committed is there.
   * @throws DatabaseSetupError when it cannot start, for now or for good: try again later.
   */
  restart: () => Promise<void>;
  /** Stops the server and waits until it has ended; nothing is lost, also not when it is hurried (milliseconds). */
  stop: (forceAfterMs?: number) => Promise<void>;
}

interface Installation {
  root: string;
  data: string;
  dataDir: string;
  binaries: Binaries;
  account: Account | undefined;
  password: string;
}

/**
 * Starts the embedded PostgreSQL with its data in `<dataDir>/postgres`, on loopback and a free port.
 * @throws DatabaseSetupError when another Threadmill or PostgreSQL uses the folder, or it cannot be used, or the server cannot start.
 */
export async function startEmbeddedPostgres({ dataDir }: { dataDir: string }): Promise<EmbeddedPostgres> {
  const root = resolve(dataDir);
  const folder = openFolder(root, dataDir);
  const lock = await lockFolder({ root, dataDir });
  try {
    const account = chooseAccount(folder.data);
    const binaries = await reachableBinaries(account);
    const installation = {
      root,
      dataDir,
      data: folder.data,
      binaries,
      account,
      password: folder.readPassword(binaries),
    };
    await initialise(installation);
    const { server, port } = await startOnFreePort(installation);
    return control(installation, { server, port, unlock: lock.release });
  } catch (error) {
    lock.release();
    throw error;
  }
}

function control(
  installation: Installation,
  { server, port, unlock }: { server: ChildProcess; port: number; unlock: () => void },
): EmbeddedPostgres {
  let running = server;
  let stopping = false;
  return {
    url: `${urlOf(installation, port)}/threadmill`,
    exited: async () => untilExit(running),
    async restart() {
      const lock = await lockServer(installation);
      // A server started now would outlive the folder's lock.
      if (stopping) return lock.release();
      running = launch(installation, { port, lock });
      await untilReady(installation, { server: running, port });
    },
    async stop(forceAfterMs = FORCE_AFTER_MS) {
      stopping = true;
      if (isAlive(running)) running.kill("SIGINT");
      const forced = setTimeout(() => running.kill("SIGQUIT"), forceAfterMs);
      await untilExit(running);
      clearTimeout(forced);
      unlock();
    },
  };
}

/** Another process may take a free port before the server does; then the next one is tried. */
async function startOnFreePort(installation: Installation): Promise<{ server: ChildProcess; port: number }> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    const lock = await lockServer(installation);
    const server = launch(installation, { port, lock });
    try {
      await untilReady(installation, { server, port });
      return { server, port };
    } catch (error) {
      if (isAlive(server)) server.kill("SIGQUIT");
      await untilExit(server);
      if (tries === PORT_TRIES || !lastLogLines(installation).includes("could not bind")) throw error;
    }
  }
}

/** Starts a server, which takes the lock over. */
function launch(installation: Installation, { port, lock }: { port: number; lock: FileLock }): ChildProcess {
  try {
    return spawnServer(installation, { port, lock });
  } finally {
    lock.release();
  }
}

function spawnServer(
  { root, data, binaries, account }: Installation,
  { port, lock }: { port: number; lock: FileLock },
): ChildProcess {
  const log = logOf(root);
  const logFile = openSync(log, "a");
  const { command, args, options } = runAs(account, {
    command: binaries.postgres,
    folder: data,
    args: ["-p", String(port), ...SETTINGS.flatMap((setting) => ["-c", setting])],
  });
  // A session of its own: Ctrl-C reaches the launcher alone, which stops the server when nobody needs it any more.
  const stdio: StdioOptions = ["ignore", logFile, logFile, lock.inherit];
  const server = spawn(command, args, { ...options, detached: true, stdio });
  closeSync(logFile);
  server.once("error", (error) => appendFileSync(log, `${error.message}\n`));
  return server;
}

function isAlive(server: ChildProcess): boolean {
  return server.pid !== undefined && server.exitCode === null && server.signalCode === null;
}

async function untilExit(server: ChildProcess): Promise<void> {
  if (!isAlive(server)) return;
  await new Promise<void>((done) => {
    server.once("exit", () => done());
    server.once("error", () => done());
  });
}

function urlOf({ password }: Installation, port: number): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}`;
}

function logOf(root: string): string {
  const log = join(root, "postgres.log");
  appendFileSync(log, "", { mode: 0o600 });
  if (statSync(log).size > LOG_LIMIT_BYTES) renameSync(log, `${log}.1`);
  return log;
}

function lastLogLines({ root }: Installation): string {
  return readFileSync(logOf(root), "utf8").trim().split("\n").slice(-3).join(" | ");
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done, failed) => {
    probe.once("error", failed);
    probe.listen(0, "127.0.0.1", done);
  });
  const address = probe.address();
  await new Promise<void>((done) => {
    probe.close(() => done());
  });
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

/** Connects until the server answers, which creates the database where it is new. */
async function untilReady(
  installation: Installation,
  { server, port }: { server: ChildProcess; port: number },
): Promise<void> {
  const { dataDir } = installation;
  const lastTry = performance.now() + START_LIMIT_MS;
  for (;;) {
    try {
      return await ensureDatabase(`${urlOf(installation, port)}/postgres`);
    } catch (error) {
      if (errorCode(error) === "28P01")
        throw new DatabaseSetupError(
          `DATA_DIR: the password in ${dataDir}/postgres-password does not open the database in ${dataDir}/postgres: restore that file, or set DATA_DIR to another folder`,
          { cause: error },
        );
      if (!isAlive(server) || performance.now() > lastTry)
        throw new DatabaseSetupError(
          `DATA_DIR: the embedded PostgreSQL in ${dataDir} did not start (see postgres.log there): ${lastLogLines(installation)}`,
          { cause: error },
        );
      await wait(25);
    }
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const sql = postgres(url, { fetch_types: false, max: 1, connect_timeout: 2, onnotice: () => undefined });
  try {
    const found = await sql`select 1 from pg_database where datname = 'threadmill'`;
    if (found.length === 0) await sql`create database threadmill`;
  } finally {
    await sql.end({ timeout: 1 }).catch(() => undefined);
  }
}
