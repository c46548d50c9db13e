import postgres from "postgres";
import { DatabaseSetupError, errorCode } from "./errors.ts";

const OLDEST_SERVER = 150_000;
const UNREACHABLE = "nothing answers there: check host and port, and that the server runs";
const REMEDIES: Record<string, string> = {
  "28P01": "the server refuses the password: correct the user and password in it",
  "28000": "the server refuses the login: check the user in it, and the server's pg_hba.conf",
  "3D000": "the server has no such database: create it (createdb), or name one that exists",
  "42501": "the user has too few rights: make it the owner of the database, or grant it CONNECT and CREATE",
  "53300": "the server has no connection left: raise its max_connections, or stop what uses them",
  "57P03": "the server is still starting or recovering: try again in a moment",
  ENOTFOUND: "its host is unknown: correct the host name",
  EAI_AGAIN: "its host name cannot be looked up at present: check the network",
};

export interface CheckOptions {
  url: string;
  /** The setting that holds the URL, for the message. */
  setting: string;
}

/**
 * Connects once and looks at the server's version.
 * @throws DatabaseSetupError when it is away, refuses the login or is too old; one line that names setting and remedy.
 */
export async function checkServer({ url, setting }: CheckOptions): Promise<void> {
  const sql = postgres(url, {
    fetch_types: false,
    max: 1,
    connect_timeout: 5,
    prepare: false,
    onnotice: () => undefined,
  });
  try {
    const [row] = await sql<{ version: string; number: number }[]>`
      select current_setting('server_version') as version, current_setting('server_version_num')::int as number`;
    const fault = row && describeOldServer(row.number, row.version);
    if (fault) throw new DatabaseSetupError(`${setting}: ${fault}`);
  } catch (error) {
    throw toSetupError(error, setting);
  } finally {
    await sql.end({ timeout: 1 }).catch(() => undefined);
  }
}

/** What is wrong with a server of this version (a number such as 150004); undefined when it will do. */
export function describeOldServer(number: number, version: string): string | undefined {
  if (number >= OLDEST_SERVER) return undefined;
  return `the server is PostgreSQL ${version}, but Threadmill needs 15 or newer: upgrade it, or unset DATABASE_URL to use the embedded one`;
}

/** The same fault as one line that names the setting and the remedy; no part of the URL is in it. */
export function toSetupError(error: unknown, setting: string): DatabaseSetupError {
  if (error instanceof DatabaseSetupError) return error;
  const code = errorCode(error);
  const remedy = (code === undefined ? undefined : REMEDIES[code]) ?? UNREACHABLE;
  return new DatabaseSetupError(`${setting}: cannot use the database (${code ?? "no answer"}): ${remedy}`, {
    cause: error,
  });
}
