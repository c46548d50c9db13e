import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as runMigrations } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { DatabaseSetupError, errorCode } from "./errors.ts";

const MIGRATIONS_FOLDER = fileURLToPath(new URL("../../drizzle", import.meta.url));
const MIGRATION_LOCK = 7_246_800;
const OLDEST_SERVER = 150_000;

export interface MigrateOptions {
  url: string;
  /** What else to create under the same lock, such as the checkpoint tables. */
  also?: (sql: postgres.Sql) => Promise<void>;
}

/**
 * Brings the database to the present data model. Idempotent, and safe when several processes run it at once.
 * @throws DatabaseSetupError when the server is away, refuses the login or is too old; the message names the remedy.
 */
export async function migrate({ url, also }: MigrateOptions): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, prepare: false, onnotice: () => undefined });
  try {
    await checkServer(sql);
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await runMigrations(drizzle(sql), { migrationsFolder: MIGRATIONS_FOLDER });
    await also?.(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function checkServer(sql: postgres.Sql): Promise<void> {
  const found = await readVersion(sql);
  if (Number(found.server_version_num) < OLDEST_SERVER) {
    throw new DatabaseSetupError(
      `DATABASE_URL: the server is PostgreSQL ${found.server_version}, but Threadmill needs 15 or newer: upgrade it, or unset DATABASE_URL to use the embedded one`,
    );
  }
}

interface ServerVersion {
  server_version: string;
  server_version_num: string;
}

async function readVersion(sql: postgres.Sql): Promise<ServerVersion> {
  try {
    const [row] = await sql<ServerVersion[]>`
      select current_setting('server_version') as server_version, current_setting('server_version_num') as server_version_num`;
    if (row) return row;
    throw new Error("no row");
  } catch (error) {
    throw new DatabaseSetupError(
      `DATABASE_URL: cannot connect to the database (${errorCode(error) ?? "no answer"}): check that the server runs and that host, port, user, password and database are right`,
      { cause: error },
    );
  }
}
