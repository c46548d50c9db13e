import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrateCheckpoints } from "#checkpoint";
import { migrate, startEmbeddedPostgres } from "#db";
import { endWithRun } from "./end-with-run.ts";

/** Starts a PostgreSQL for the run. Its migrated database `threadmill` is the template of each test file's database. */
export default async function setup(): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), "threadmill-test-"));
  const remove = () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  const server = await startEmbeddedPostgres({ dataDir });
  const cancelKill = endWithRun(() => {
    process.kill(Number(readFileSync(join(dataDir, "postgres/postmaster.pid"), "utf8").split("\n", 1)[0]), "SIGQUIT");
    remove();
  });
  await migrate({ url: server.url, also: migrateCheckpoints });
  process.env["TEST_DATABASE_URL"] = server.url;
  return async () => {
    cancelKill();
    await server.stop();
    remove();
  };
}
