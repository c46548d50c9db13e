import { DatabaseSetupError, DatabaseUnavailableError, errorCode } from "../errors.ts";
import { NO_ANSWER, onOneConnection } from "./one-connection.ts";

const OLDEST_SERVER = 150_000;
const UNREACHABLE = "nothing answers there: check host and port, and that the server runs";
const CLOSES =
  "something accepts connections there but closes them: a proxy without a server behind it, or not PostgreSQL: check host and port, and that the server behind it runs";
const REMEDIES: Record<string, string> = {
  "28P01": "the server refuses the password: correct the user and password in it",
  "28000": "the server refuses the login: check the user in it, and the server's pg_hba.conf",
  "3D000": "the server has no such database: create it (createdb), or name one that exists",
  "25006": "the server is a standby or read-only: name the primary in it",
  "42501": "the user has too few rights: make it the owner of the database, or grant it CONNECT and CREATE",
  "53300": "the server has no connection left: raise its max_connections, or stop what uses them",
  "57P03": "the server is still starting or recovering: try again in a moment",
  CONNECTION_CLOSED: CLOSES,
  ECONNRESET: CLOSES,
  [NO_ANSWER]:
    "something accepts connections there but does not answer: check host and port, and that a PostgreSQL that is not overloaded or stopped listens there",
  ENOTFOUND: "its host is unknown: correct the host name",
  EAI_AGAIN: "its host name cannot be looked up at present: check the network",
};

export interface CheckOptions {
  url: string;
  /** The setting that holds the URL, for the message. */
  setting: string;
  /** The longest that connecting and checking may take together, in milliseconds. */
  deadlineMs: number;
}

/**
 * Connects once and checks the server's version and that it takes writes.
 * @throws DatabaseSetupError when it is away, refuses the login, is read-only or too old; the line names setting and remedy.
 */
export async function checkServer({ url, setting, deadlineMs }: CheckOptions): Promise<void> {
  // On a standby every transaction is read-only.
  const [server] = await onOneConnection(
    { url, deadlineMs },
    (sql) => sql<{ version: string; number: number; readOnly: boolean }[]>`
        select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
          current_setting('transaction_read_only')::boolean as "readOnly"`,
  ).catch((error: unknown) => {
    throw toSetupError(error, setting);
  });
  const fault = server && describeOldServer(server.number, server.version);
  if (fault) throw new DatabaseSetupError(`${setting}: ${fault}`);
  if (server?.readOnly) throw describeFault("25006", { setting });
}

/** The fault of a server of this version (a number such as 150004); undefined when it is new enough. */
export function describeOldServer(number: number, version: string): string | undefined {
  if (number >= OLDEST_SERVER) return undefined;
  return `the server is PostgreSQL ${version}, but Threadmill needs 15 or newer: upgrade it, or unset DATABASE_URL to use the embedded one`;
}

/** Turns a fault into one line that names the setting and the remedy. It holds no part of the URL. */
export function toSetupError(error: unknown, setting: string): DatabaseSetupError {
  if (error instanceof DatabaseSetupError) return error;
  if (error instanceof DatabaseUnavailableError && error.fault === "READ_ONLY")
    return describeFault("25006", { setting, cause: error });
  return describeFault(errorCode(error), { setting, cause: error });
}

function describeFault(
  code: string | undefined,
  { setting, cause }: { setting: string; cause?: unknown },
): DatabaseSetupError {
  const remedy = (code === undefined ? undefined : REMEDIES[code]) ?? UNREACHABLE;
  return new DatabaseSetupError(`${setting}: cannot use the database (${code ?? "no answer"}): ${remedy}`, { cause });
}
