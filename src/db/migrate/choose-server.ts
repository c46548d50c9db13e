import { readHosts } from "#shared/database-url";
import { Database } from "../connection/client.ts";

/**
 * The URL of the server that a `Database` would use, for code that opens its own connection. Of a list it is the first host
 * that answers and, unless `target_session_attrs=any`, takes writes.
 * @throws DatabaseUnavailableError when no host fits; PostgresError when the server refuses the login.
 */
export async function chooseServer(url: string): Promise<string> {
  const { hosts, mustWrite } = readHosts(url);
  if (hosts.length === 1 && !mustWrite) return url;
  const db = new Database({ url, maxConnections: 1 });
  try {
    await db.call(async (sql) => sql`select 1`);
    return db.serverUrl;
  } finally {
    await db.close();
  }
}
