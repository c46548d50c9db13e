import { DatabaseSetupError, migrate } from "#db";
import { loadEnv, SettingsError } from "#env";
import { migrateCheckpoints } from "#checkpoint";

try {
  const { DATABASE_URL: url } = loadEnv();
  if (url === undefined)
    throw new SettingsError("DATABASE_URL must be set: npm start brings its own database and migrates it");
  await migrate({ url, also: migrateCheckpoints });
  process.stdout.write("The database is up to date\n");
} catch (error) {
  const expected = error instanceof SettingsError || error instanceof DatabaseSetupError;
  process.stderr.write(`${expected ? error.message : `The migration failed: ${String(error)}`}\n`);
  process.exit(1);
}
