/**
 * `embedded/` runs PostgreSQL from npm packages in a data folder. It owns the folder, its locks, the account and the process.
 * It must not know tables. Invariant: at most one server uses the folder, also across containers and namespaces.
 */
import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, closeSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { chooseAccount, reachableBinaries, runAs } from "./account.ts";
import { initialise, openFolder } from "./data-folder.ts";
import type { Installation } from "./data-folder.ts";
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
  /** Contains the generated password. Stays the same after a restart. */
  url: string;
  /** Resolves when the present server process has ended, for any reason. */
  exited: () => Promise<void>;
  /**
   * Restarts a server that died, on the same port and with its committed data.
   * @throws DatabaseSetupError when it cannot start, perhaps only for now: try again later.
   */
  restart: () => Promise<void>;
  /** Stops the server and waits for its end; after `forceAfterMs` it is forced. Committed data is safe either way. */
  stop: (forceAfterMs?: number) => Promise<void>;
}

/**
 * Starts the embedded PostgreSQL with its data in `<dataDir>/postgres`, on loopback and a free port.
 * @throws DatabaseSetupError when another process uses the folder, the folder cannot be used, or the server cannot start.
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
      // A server that starts now would outlive the folder's lock.
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

/** Tries another port when another process took the free one before the server did. */
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

/** Starts a server that inherits the lock; this process's copy is closed. */
function launch(
  { root, data, binaries, account }: Installation,
  { port, lock }: { port: number; lock: FileLock },
): ChildProcess {
  try {
    const log = logOf(root);
    const logFile = openSync(log, "a");
    const { command, args, options } = runAs(account, {
      command: binaries.postgres,
      folder: data,
      args: ["-p", String(port), ...SETTINGS.flatMap((setting) => ["-c", setting])],
    });
    // Detached: Ctrl-C must reach only the launcher, which stops the server after its other processes.
    const stdio: StdioOptions = ["ignore", logFile, logFile, lock.inherit];
    const server = spawn(command, args, { ...options, detached: true, stdio });
    closeSync(logFile);
    server.once("error", (error) => appendFileSync(log, `${error.message}\n`));
    return server;
  } finally {
    lock.release();
  }
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
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await once(probe.close(), "close");
  return port;
}

/** Connects until the server answers, and creates the database if it is new. */
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
