import postgres from "postgres";
import { readHosts } from "#shared/database-url";
import { DeadlineMissedError, withDeadline } from "../connection/deadline.ts";
import { Dialer } from "../connection/dialer.ts";
import { surviveLateWrites } from "../connection/late-write.ts";
import { codedError, errorCode } from "../errors.ts";

const CONNECT_TIMEOUT_MS = 5_000;

/** Error code: the connection was accepted, but no answer came in time. */
export const NO_ANSWER = "NO_ANSWER";
const CONNECT_TIMEOUT = "CONNECT_TIMEOUT";

/**
 * Runs work on one connection that is never replaced, so a session's lock lasts as long as the work. Of several hosts only
 * the first is used.
 * @throws every error of the work; an error with the code `NO_ANSWER` or `CONNECT_TIMEOUT` when the work is late.
 * @throws an error with the code `CONNECTION_CLOSED` when the connection was lost.
 */
export async function onOneConnection<T>(
  { url, deadlineMs }: { url: string; deadlineMs: number },
  work: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  surviveLateWrites();
  const [host] = readHosts(url).hosts;
  const dialer = new Dialer(host, 1, 1);
  let lose: () => void = () => undefined;
  const lost = new Promise<never>((_resolve, reject) => {
    lose = () => reject(codedError("CONNECTION_CLOSED"));
  });
  const options = {
    ...dialer.driverOptions,
    fetch_types: false,
    max: 1,
    connect_timeout: Math.min(CONNECT_TIMEOUT_MS, deadlineMs) / 1_000,
    prepare: false,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => undefined,
    // The driver may never settle a query that it sends just as the connection closes. A query that it does settle has
    // the better error, which one turn of the event loop passes on.
    onclose: () => setImmediate(lose),
  };
  const sql = postgres(host.url, options);
  try {
    return await withDeadline(Promise.race([work(sql), lost]), deadlineMs);
  } catch (error) {
    const isLate = error instanceof DeadlineMissedError || errorCode(error) === CONNECT_TIMEOUT;
    throw isLate ? codedError(dialer.hasConnected ? NO_ANSWER : CONNECT_TIMEOUT, undefined, error) : error;
  } finally {
    await sql.end({ timeout: 0 }).catch(() => undefined);
    dialer.close();
  }
}
