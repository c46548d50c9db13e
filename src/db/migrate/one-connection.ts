import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import postgres from "postgres";
import { errorCode } from "../errors.ts";
import { surviveLateWrites } from "../connection/late-write.ts";

const CONNECT_TIMEOUT_MS = 5_000;

/** Where postgres.js would connect to: several hosts, or the path of a Unix socket. */
interface Target {
  host: string[];
  port: number[];
  path?: string | false;
}

/** The code of an error that says: the connection was accepted, but no answer came in time. */
export const NO_ANSWER = "NO_ANSWER";

/**
 * Runs work on a connection that is never replaced: what belongs to its session, such as a lock, lasts as long as the
 * work. Rejects when the work does not end in time, with the code `NO_ANSWER` or `CONNECT_TIMEOUT`.
 */
export async function onOneConnection<T>(
  { url, deadlineMs }: { url: string; deadlineMs: number },
  work: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  surviveLateWrites();
  const dialer = new OnceDialer(Math.min(CONNECT_TIMEOUT_MS, deadlineMs));
  const options = {
    fetch_types: false,
    max: 1,
    connect_timeout: dialer.timeoutMs / 1_000,
    prepare: false,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => undefined,
    socket: dialer.dial,
  };
  const sql = postgres(url, options);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(withCode(dialer.hasConnected ? NO_ANSWER : "CONNECT_TIMEOUT")), deadlineMs);
  });
  const result = work(sql);
  // Without a listener, a rejection after the deadline would end the process.
  result.catch(() => undefined);
  try {
    const value = await Promise.race([result, deadline, dialer.failed]);
    await sql.end({ timeout: 1 }).catch(() => undefined);
    return value;
  } catch (error) {
    await sql.end({ timeout: 0 }).catch(() => undefined);
    throw errorCode(error) === "CONNECT_TIMEOUT" && dialer.hasConnected ? withCode(NO_ANSWER, error) : error;
  } finally {
    clearTimeout(timer);
    dialer.destroy();
  }
}

/**
 * Opens the sockets of postgres.js, each host once. On its own, postgres.js connects again at once and without end to
 * a proxy that closes. It may also never settle a query that it sends just as the connection closes.
 */
class OnceDialer {
  readonly timeoutMs: number;
  /** Rejects when the connection has closed and no host is left to try; never resolves. */
  readonly failed: Promise<never>;
  hasConnected = false;
  #fail: (error: unknown) => void = () => undefined;
  #lastError: unknown;
  #tries = 0;
  #socket: Socket | undefined;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined);
  }

  readonly dial = async (target: Target): Promise<Socket> => {
    const count = target.path ? 1 : target.host.length;
    while (this.#tries < count) {
      const index = this.#tries;
      this.#tries += 1;
      try {
        const socket = await this.#connect(target, index);
        this.hasConnected = true;
        this.#lastError = withCode("CONNECTION_CLOSED");
        if (this.#tries === count) socket.once("close", () => this.#fail(this.#lastError));
        return socket;
      } catch (error) {
        this.#lastError = error;
      }
    }
    this.#fail(this.#lastError);
    throw this.#lastError;
  };

  destroy(): void {
    this.#socket?.destroy();
  }

  async #connect({ host, port, path }: Target, index: number): Promise<Socket> {
    const socket = path ? connect(path) : connect(port[index] ?? 0, host[index]);
    this.#socket = socket;
    const timeout = AbortSignal.timeout(this.timeoutMs);
    try {
      await once(socket, "connect", { signal: timeout });
    } catch (error) {
      socket.destroy();
      throw timeout.aborted ? withCode("CONNECT_TIMEOUT", error) : error;
    }
    // postgres.js reads the name that a certificate must have from the socket.
    return Object.assign(socket, { host: host[index] });
  }
}

function withCode(code: string, cause?: unknown): Error {
  return Object.assign(new Error(code, { cause }), { code });
}
