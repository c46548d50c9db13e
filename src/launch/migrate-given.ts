import { migrateCheckpoints } from "#checkpoint";
import { migrate } from "#db";
import type { Settings } from "#env";

/**
 * Migrates the given database, over `DATABASE_LISTEN_URL` if that is set: a pooler cannot hold the migration's lock.
 * @throws DatabaseSetupError naming the setting and the remedy.
 */
export async function migrateGiven(
  DATABASE_URL: string,
  { DATABASE_LISTEN_URL }: Pick<Settings, "DATABASE_LISTEN_URL">,
): Promise<void> {
  await migrate({
    url: DATABASE_LISTEN_URL ?? DATABASE_URL,
    setting: DATABASE_LISTEN_URL === undefined ? "DATABASE_URL" : "DATABASE_LISTEN_URL",
    also: migrateCheckpoints,
  });
}
