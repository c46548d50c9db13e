/**
 * `migrate/` brings a database to the present data model. It owns the checks before it, the lock and the error texts. It
 * must not know the tables: `schema/` and `drizzle/` do. Invariant: one session holds the lock for the whole migration, and
 * its connection is never replaced.
 */
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import { checkServer, toSetupError } from "./check-server.ts";
import { chooseServer } from "./choose-server.ts";
import { DatabaseSetupError, errorCode, isConnectionError } from "../errors.ts";
import { NO_ANSWER, onOneConnection } from "./one-connection.ts";

const MIGRATIONS = {
  migrationsFolder: fileURLToPath(new URL("../../../drizzle", import.meta.url)),
  // Not Drizzle's default table, which any application may share: Drizzle compares only times, and newer rows of another
  // application would make it skip our migrations.
  migrationsSchema: "threadmill",
  migrationsTable: "migrations",
};
export const MIGRATION_LOCK = 7_246_800;
const DEADLINE_MS = 600_000;
const CHECK_DEADLINE_MS = 10_000;
const LOCK_TIMEOUT_MS = 60_000;
const LOCK_TIMEOUT = "55P03";
const STATEMENT_TIMEOUT = "57014";
/** A table, index or type of that name exists already. */
const TAKEN_NAME = new Set(["42P07", "42710"]);
/** The connection worked and then broke. */
const BROKEN = new Set(["CONNECTION_CLOSED", "CONNECTION_ENDED", "ECONNRESET", "EPIPE", "57P01", "57P02"]);
/** Too few rights; no connection left. */
const REFUSED = new Set(["42501", "53300"]);
/** The first quoted word, in the quotation marks of any of the server's languages. */
const QUOTED = /["'«»„“”「『]\s*([\w.]+)/u;

export interface MigrateOptions {
  /** May list several hosts. Must be a direct connection: a transaction-mode pooler has no session to hold the lock. */
  url: string;
  /** The setting that holds the URL, for messages; DATABASE_URL unless given. */
  setting?: string;
  /** Creates other tables under the same lock, such as the checkpoint tables. */
  also?: (sql: postgres.Sql) => Promise<void>;
  /**
   * The longest time of the whole migration, in milliseconds; 10 minutes unless given. Connecting may take up to 10 s of it,
   * and waiting for one lock up to 60 s or half of the rest.
   */
  deadlineMs?: number;
}

/**
 * Brings the database to the present data model. Idempotent, and safe when several processes run it at once.
 * @throws DatabaseSetupError with the remedy when the server is away, read-only, too old or too slow, refuses the login, or
 * holds tables of another application.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  const { setting = "DATABASE_URL", also, deadlineMs = DEADLINE_MS } = options;
  const endsAt = performance.now() + deadlineMs;
  const url = await chooseServer(options.url).catch((error: unknown) => {
    throw toSetupError(error, setting);
  });
  await checkServer({ url, setting, deadlineMs: Math.min(CHECK_DEADLINE_MS, deadlineMs) });
  const leftMs = Math.max(1, Math.ceil(endsAt - performance.now()));
  const lockMs = Math.min(LOCK_TIMEOUT_MS, Math.ceil(leftMs / 2));
  try {
    await onOneConnection({ url, deadlineMs: leftMs }, async (sql) => {
      // The timeouts also end a statement whose caller gave up, and override defaults of the role that may be too short.
      await sql`select set_config('lock_timeout', ${`${lockMs}`}, false), set_config('statement_timeout', ${`${leftMs}`}, false)`;
      await sql`select pg_advisory_lock(${MIGRATION_LOCK})`;
      await runMigrations(sql);
      await also?.(sql);
    });
  } catch (error) {
    throw describeFailure(error, { setting, deadlineMs });
  }
}

async function runMigrations(sql: postgres.Sql): Promise<void> {
  // Loaded lazily: only the process that migrates needs Drizzle, and the others save its memory.
  const [{ drizzle }, { migrate: apply }, { readMigrationFiles }] = await Promise.all([
    import("drizzle-orm/postgres-js"),
    import("drizzle-orm/postgres-js/migrator"),
    import("drizzle-orm/migrator"),
  ]);
  const hashes = readMigrationFiles(MIGRATIONS).map(({ hash }) => hash);
  await adoptFormerRows(sql, hashes);
  await apply(drizzle(sql), MIGRATIONS);
}

/** Earlier versions recorded migrations in Drizzle's default table. Copies our rows from there, once. */
async function adoptFormerRows(sql: postgres.Sql, hashes: string[]): Promise<void> {
  const readable = await sql`
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'drizzle' and c.relname = '__drizzle_migrations'
      and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')`;
  if (readable.length === 0) return;
  await sql.begin(async (tx) => {
    await tx`create schema if not exists threadmill`;
    // As Drizzle would create it.
    await tx`create table if not exists threadmill.migrations (id serial primary key, hash text not null, created_at bigint)`;
    await tx`
      insert into threadmill.migrations (hash, created_at)
      select hash, created_at from drizzle.__drizzle_migrations
      where hash in ${tx(hashes)} and not exists (select from threadmill.migrations)
      order by created_at`;
  });
}

function describeFailure(error: unknown, { setting, deadlineMs }: { setting: string; deadlineMs: number }): unknown {
  // Drizzle wraps the driver's error.
  const cause = error instanceof Error && errorCode(error) === undefined ? (error.cause ?? error) : error;
  const code = errorCode(cause);
  const fail = (text: string) => new DatabaseSetupError(`${setting}: ${text}`, { cause });
  if (code !== undefined && TAKEN_NAME.has(code)) {
    const name = QUOTED.exec(cause instanceof Error ? cause.message : "")?.[1] ?? "of the same name";
    return fail(
      `the database holds another application's "${name}", a name that Threadmill needs: give Threadmill a database of its own (createdb), which it shares with no other`,
    );
  }
  if (code === LOCK_TIMEOUT)
    return fail("another session holds a lock that the migration needs: end it (see pg_locks), or try again later");
  if (code === NO_ANSWER || code === STATEMENT_TIMEOUT)
    return fail(
      `the migration did not end within ${deadlineMs / 1_000} s: see what it waits for in pg_stat_activity, and try again`,
    );
  if (code !== undefined && BROKEN.has(code))
    return fail(`the connection broke during the migration (${code}): see the server's log, and try again`);
  if (isConnectionError(cause) || REFUSED.has(code ?? "")) return toSetupError(cause, setting);
  return error;
}
