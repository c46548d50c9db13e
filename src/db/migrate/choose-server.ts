import { Database } from "../connection/client.ts";
import { readHosts } from "../connection/hosts.ts";

/**
 * The URL of the server that a `Database` of this URL would use, for code that opens a connection by itself: of a list the
 * first host that answers and, unless `target_session_attrs=any`, takes writes.
 * @throws DatabaseUnavailableError when none will do; PostgresError when the server refuses the login.
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
