import { setTimeout as wait } from "node:timers/promises";
import type postgres from "postgres";
import type { HostList, NamedHost } from "#shared/database-url";
import { DatabaseUnavailableError, isConnectionError, isReadOnly, isServerError, queryTimeout } from "../errors.ts";
import { backoffMs } from "./backoff.ts";
import { DeadlineMissedError, withDeadline } from "./deadline.ts";
import type { Pool } from "./pool.ts";

const CONNECT_LIMIT_MS = 5_000;

export interface FailoverOptions {
  hosts: HostList;
  /** Opens a pool to one host; each connection may take `connectLimitMs` to be established. */
  open: (host: NamedHost, connectLimitMs: number) => Pool;
  /** The longest that one host may take to answer the probe, in milliseconds. */
  probeLimitMs: number;
  /** Ends the waiting between attempts to connect; no pool is replaced afterwards. */
  closing: AbortSignal;
}

/**
 * The pool in use, and its replacement. After a connection error, or when the server answers no call, a pool to the next
 * host replaces it. After a failed attempt to connect all calls share the next attempt, which waits for a doubling delay
 * and tries each host in turn.
 */
export class FailoverPool {
  readonly #options: FailoverOptions;
  readonly #hosts: HostList["hosts"];
  /** All hosts together get one `CONNECT_LIMIT_MS`. */
  readonly #hostLimitMs: number;
  #hostIndex = 0;
  #pool: Pool;
  /** Attempts to connect that failed in a row. */
  #failureCount = 0;
  #isUntried: boolean;
  #recovery: Promise<void> | undefined;

  constructor(options: FailoverOptions) {
    this.#options = options;
    this.#hosts = options.hosts.hosts;
    this.#hostLimitMs = CONNECT_LIMIT_MS / this.#hosts.length;
    this.#isUntried = options.hosts.mustWrite || this.#hosts.length > 1;
    this.#pool = this.#open();
  }

  get sql(): postgres.Sql {
    return this.#pool.sql;
  }

  get host(): NamedHost {
    return this.#hosts[this.#hostIndex] ?? this.#hosts[0];
  }

  /** True when `recover` must prove the pool before calls use it. */
  get isUntried(): boolean {
    return this.#isUntried;
  }

  /**
   * Waits for the shared attempt to reach a server that fits.
   * @throws the error of the last host when none fits.
   */
  async recover(): Promise<void> {
    this.#recovery ??= this.#tryHosts().finally(() => {
      this.#recovery = undefined;
    });
    return this.#recovery;
  }

  /**
   * Runs work on the pool under the deadline, and replaces the pool when its connections or its server are at fault.
   * @throws DatabaseUnavailableError when no call was answered meanwhile; QueryTimeoutError when only this one was not.
   */
  async send<T>(work: (sql: postgres.Sql) => Promise<T>, deadlineMs: number): Promise<T> {
    const pool = this.#pool;
    const sentAt = performance.now();
    const working = work(pool.sql);
    try {
      const value = await withDeadline(working, deadlineMs);
      pool.answered();
      return value;
    } catch (error) {
      if (isServerError(error)) pool.answered();
      // A read-only server answers. Another server may have taken its name, so a stable pool to it is replaced as well.
      if (isConnectionError(error) && (pool.isStable || !isReadOnly(error))) this.#replace(pool, 0);
      if (!(error instanceof DeadlineMissedError)) throw error;
      if (!pool.hasAnsweredSince(sentAt)) {
        this.#replace(pool, 0);
        throw new DatabaseUnavailableError(`The database did not answer within ${deadlineMs} ms`, { cause: error });
      }
      this.#replaceUnlessSettled(pool, working, deadlineMs);
      throw queryTimeout(deadlineMs, error);
    }
  }

  /** Closes the pool when its calls have ended, or after `graceMs`. */
  async end(graceMs: number): Promise<void> {
    await this.#pool.end(graceMs);
  }

  /** The server answers other calls, so this one may only be slow. If it never settles, its connection is dead. */
  #replaceUnlessSettled(pool: Pool, working: Promise<unknown>, deadlineMs: number): void {
    const timer = setTimeout(() => this.#replace(pool, deadlineMs), deadlineMs);
    timer.unref();
    const settle = () => clearTimeout(timer);
    working.then(settle, settle);
  }

  async #tryHosts(): Promise<void> {
    const { closing, probeLimitMs } = this.#options;
    await wait(backoffMs(this.#failureCount), undefined, { signal: closing }).catch(() => undefined);
    for (let tries = this.#hosts.length; ; tries -= 1) {
      const pool = this.#pool;
      try {
        await withDeadline(this.#probe(pool), Math.min(this.#hostLimitMs, probeLimitMs));
        this.#isUntried = false;
        return;
      } catch (error) {
        this.#replace(pool, 0);
        if (tries > 1 && !closing.aborted) continue;
        throw error instanceof DeadlineMissedError
          ? new DatabaseUnavailableError("The database did not answer", { cause: error })
          : error;
      }
    }
  }

  async #probe(pool: Pool): Promise<void> {
    const [row] = await pool.sql.unsafe<{ readOnly: boolean }[]>(
      `select current_setting('transaction_read_only') = 'on' as "readOnly"`,
    );
    pool.answered();
    if (this.#options.hosts.mustWrite && row?.readOnly === true)
      throw new DatabaseUnavailableError("No host of the list takes writes", { fault: "READ_ONLY" });
  }

  /** Opens a pool to the next host; the old pool has `graceMs` to end its calls. */
  #replace(pool: Pool, graceMs: number): void {
    if (pool !== this.#pool || this.#options.closing.aborted) return;
    this.#failureCount = pool.isStable ? 0 : this.#failureCount + 1;
    this.#isUntried = true;
    this.#hostIndex = (this.#hostIndex + 1) % this.#hosts.length;
    this.#pool = this.#open();
    void pool.end(graceMs);
  }

  #open(): Pool {
    return this.#options.open(this.host, this.#hostLimitMs);
  }
}
