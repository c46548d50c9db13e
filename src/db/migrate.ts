import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { checkServer, toSetupError } from "./check-server.ts";
import { errorCode, isConnectionError } from "./errors.ts";

const MIGRATIONS_FOLDER = fileURLToPath(new URL("../../drizzle", import.meta.url));
const MIGRATION_LOCK = 7_246_800;
const TOO_FEW_RIGHTS = "42501";

export interface MigrateOptions {
  /** A direct connection: the lock belongs to a session, which a transaction-mode pooler does not give. */
  url: string;
  /** The setting that holds the URL, for messages; DATABASE_URL unless given. */
  setting?: string;
  /** What else to create under the same lock, such as the checkpoint tables. */
  also?: (sql: postgres.Sql) => Promise<void>;
}

/**
 * Brings the database to the present data model. Idempotent, and safe when several processes run it at once.
 * @throws DatabaseSetupError when the server is away, refuses the login or is too old; the message names the remedy.
 */
export async function migrate({ url, setting = "DATABASE_URL", also }: MigrateOptions): Promise<void> {
  await checkServer({ url, setting });
  const sql = postgres(url, {
    fetch_types: false,
    max: 1,
    connect_timeout: 5,
    prepare: false,
    // The lock lasts as long as the connection does.
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => undefined,
  });
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`;
    // Only who migrates loads it: the API, the workers and their threads do not, and have its memory to themselves.
    const [{ drizzle }, { migrate: runMigrations }] = await Promise.all([
      import("drizzle-orm/postgres-js"),
      import("drizzle-orm/postgres-js/migrator"),
    ]);
    await runMigrations(drizzle(sql), { migrationsFolder: MIGRATIONS_FOLDER });
    await also?.(sql);
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    if (isConnectionError(cause) || errorCode(cause) === TOO_FEW_RIGHTS) throw toSetupError(cause, setting);
    throw error;
  } finally {
    await sql.end({ timeout: 5 });
  }
}
