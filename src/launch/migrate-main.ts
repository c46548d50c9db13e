import { DatabaseSetupError, migrate } from "#db";
import { loadEnv, SettingsError } from "#env";
import { migrateCheckpoints } from "#checkpoint";

try {
  const { DATABASE_URL, DATABASE_LISTEN_URL } = loadEnv();
  if (DATABASE_URL === undefined)
    throw new SettingsError("DATABASE_URL must be set: npm start brings its own database and migrates it");
  await migrate({
    url: DATABASE_LISTEN_URL ?? DATABASE_URL,
    setting: DATABASE_LISTEN_URL === undefined ? "DATABASE_URL" : "DATABASE_LISTEN_URL",
    also: migrateCheckpoints,
  });
  process.stdout.write("The database is up to date\n");
} catch (error) {
  const expected = error instanceof SettingsError || error instanceof DatabaseSetupError;
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${expected ? text : `The migration failed: ${text}`}\n`);
  process.exit(1);
}
