import { spawnSync } from "node:child_process";
import type { SpawnSyncOptions } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { migrateCheckpoints } from "#checkpoint";
import { migrate } from "#db";
import { chooseAccount } from "../src/db/embedded/account.ts";
import { freePort } from "../src/launch/check-port.ts";
import { endWithRun } from "./end-with-run.ts";
import { findPostgres } from "./find-postgres.mjs";

/** Starts the system's PostgreSQL, as `test/postgres.ts` starts the embedded one. All settings but its address are defaults. */
export default async function setup(): Promise<() => Promise<void>> {
  const bin = findPostgres();
  if (bin === undefined) throw new Error("the system has no PostgreSQL 15 or newer in /usr/lib/postgresql");
  const root = mkdtempSync(join(tmpdir(), "threadmill-stock-"));
  const data = join(root, "data");
  const remove = () => rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  const account = chooseAccount(data);
  // PostgreSQL 15 changes into parent folders to find its files; its user must be able to enter this one.
  chmodSync(root, 0o711);
  mkdirSync(data, { mode: 0o700 });
  if (account) chownSync(data, account.uid, account.gid);
  const run = (binary: string, ...args: string[]) => {
    const options = { ...account, cwd: data, stdio: ["ignore", "ignore", "pipe"] } satisfies SpawnSyncOptions;
    const { status, stderr } = spawnSync(join(bin, binary), ["-D", data, ...args], options);
    if (status !== 0) throw new Error(`${binary} failed: ${String(stderr)}`);
  };
  const cancelKill = endWithRun(() => {
    const pidFile = join(data, "postmaster.pid");
    if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, "utf8").split("\n", 1)[0]), "SIGQUIT");
    remove();
  });
  run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8");
  const port = await freePort("127.0.0.1");
  run("pg_ctl", "start", "--wait", "--log=server.log", `--options=-p ${port} -h 127.0.0.1 -k ''`);
  const url = `postgres://postgres@127.0.0.1:${port}`;
  const sql = postgres(`${url}/postgres`, { max: 1 });
  await sql`create database threadmill`;
  await sql.end();
  process.env["TEST_DATABASE_URL"] = `${url}/threadmill`;
  await migrate({ url: process.env["TEST_DATABASE_URL"], also: migrateCheckpoints });
  return async () => {
    cancelKill();
    run("pg_ctl", "stop", "--wait", "--mode=immediate");
    remove();
  };
}
