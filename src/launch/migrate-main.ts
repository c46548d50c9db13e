import { loadEnv, SettingsError } from "#env";
import { migrateGiven } from "./migrate-given.ts";
import { reportFailure } from "./report-failure.ts";

try {
  const settings = loadEnv();
  if (settings.DATABASE_URL === undefined)
    throw new SettingsError("DATABASE_URL must be set: npm start brings its own database and migrates it");
  await migrateGiven(settings.DATABASE_URL, settings);
  process.stdout.write("The database is up to date\n");
} catch (error) {
  reportFailure(error, "The migration failed");
  process.exit(1);
}
