import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrateCheckpoints } from "#checkpoint";
import { migrate, startEmbeddedPostgres } from "#db";

/** Starts a real PostgreSQL for the run, its `threadmill` database migrated as the template of every file's own. */
export default async function setup(): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), "threadmill-test-"));
  const server = await startEmbeddedPostgres({ dataDir });
  await migrate({ url: server.url, also: migrateCheckpoints });
  process.env["TEST_DATABASE_URL"] = server.url;
  return async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}
