import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrateCheckpoints } from "#checkpoint";
import { migrate, startEmbeddedPostgres } from "#db";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Starts a real PostgreSQL for the run, its `threadmill` database migrated as the template of every file's own. */
export default async function setup(): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), "threadmill-test-"));
  const remove = () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  const server = await startEmbeddedPostgres({ dataDir });
  // The server outlives its parent, so a run that is interrupted must end it too, with no time to wait for anything.
  const abandon = () => {
    process.kill(Number(readFileSync(join(dataDir, "postgres/postmaster.pid"), "utf8").split("\n", 1)[0]), "SIGQUIT");
    remove();
  };
  const leave = () => process.exit(130);
  process.once("exit", abandon);
  for (const signal of SIGNALS) process.once(signal, leave);
  await migrate({ url: server.url, also: migrateCheckpoints });
  process.env["TEST_DATABASE_URL"] = server.url;
  return async () => {
    process.off("exit", abandon);
    for (const signal of SIGNALS) process.off(signal, leave);
    await server.stop();
    remove();
  };
}
