import { setTimeout as wait } from "node:timers/promises";
import type postgres from "postgres";
import { backoffMs } from "./backoff.ts";
import { DeadlineMissedError, withDeadline } from "./deadline.ts";
import {
  DatabaseUnavailableError,
  isConnectionError,
  isReadOnly,
  isServerError,
  isShortage,
  isTransientError,
  toDatabaseError,
  tooSlow,
} from "../errors.ts";
import { readHosts } from "./hosts.ts";
import type { HostList, NamedHost } from "./hosts.ts";
import { SharedPause } from "./shared-pause.ts";
import { surviveLateWrites } from "./late-write.ts";
import { collectNotices, Notifier, sendNotices } from "../notices/notify.ts";
import type { Notice } from "../notices/notify.ts";
import { Semaphore } from "./semaphore.ts";
import { INDEXED_PLANS, Pool } from "./pool.ts";

/** A pool or a transaction of postgres.js: what every verb of the queue takes. */
export type Executor = postgres.ISql;
/** A transaction of postgres.js: what a verb takes that needs several statements to be one. */
export type Tx = postgres.TransactionSql;

export interface DatabaseOptions {
  /** May name several hosts, which are tried in turn. */
  url: string;
  /** The most connections the pool may open. */
  maxConnections?: number;
  /** How long one call may take, in milliseconds; the server stops each statement after four fifths of that. */
  deadlineMs?: number;
  /** False where the URL is a transaction-mode pooler. */
  prepare?: boolean;
  /**
   * For a worker's pool: plans must use ordered indexes, and must stay good as the table grows. No effect behind a pooler.
   */
  avoidTableScans?: boolean;
  /** For reads that can be slow: none waits behind another on a connection, or takes more than one core of the server. */
  hasSlowReads?: boolean;
  /** Shown in `pg_stat_activity`. */
  applicationName?: string;
}

const DEFAULT_CONNECTIONS = 10;
const DEFAULT_DEADLINE_MS = 5_000;
const CONNECT_LIMIT_MS = 5_000;
/** What is left of a deadline when the server stops a statement: the error must still reach the caller in time. */
const STATEMENT_SHARE = 0.8;
const MAX_TRIES = 4;

/**
 * The pool, and the deadline that every call has. The server stops a statement that would miss it (`statement_timeout`),
 * which costs nobody else anything. A query on a cut connection never settles by itself, so a pool that met a
 * connection error, or whose server answers nobody, is replaced. After a failed attempt to connect all calls share the
 * next one, which waits for a doubling delay and tries each host in turn.
 */
export class Database {
  readonly #options: DatabaseOptions;
  readonly #deadlineMs: number;
  readonly #hosts: HostList;
  /** How long one host may take to be reached: all of a list are tried within one deadline. */
  readonly #hostLimitMs: number;
  #hostIndex = 0;
  #pool: Pool;
  /** Attempts to connect that failed in a row. */
  #failureCount = 0;
  /** Whether the present pool must be tried before calls use it. */
  #isUntried: boolean;
  #recovery: Promise<void> | undefined;
  /** What the server lacks it may have in a moment: all calls wait for that, or each would ask for a connection. */
  readonly #pause = new SharedPause();
  readonly #closing = new AbortController();
  /** As many as connections: the driver would send a statement behind a slow one on the same connection. */
  readonly #semaphore: Semaphore | undefined;
  readonly #notifier = new Notifier(async (notices) => sendNotices(this.sql, notices));

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    this.#hosts = readHosts(options.url);
    this.#hostLimitMs = CONNECT_LIMIT_MS / this.#hosts.hosts.length;
    this.#isUntried = this.#hosts.mustWrite || this.#hosts.hosts.length > 1;
    this.#semaphore = options.hasSlowReads
      ? new Semaphore(options.maxConnections ?? DEFAULT_CONNECTIONS, "reads")
      : undefined;
    surviveLateWrites();
    this.#pool = this.#open();
  }

  /** Whether its connections have `INDEXED_PLANS`. */
  get hasIndexedPlans(): boolean {
    return (this.#options.avoidTableScans ?? false) && this.#hasOwnSessions;
  }

  /** The present pool. Take it anew for each use: it is replaced after a fault. */
  get sql(): postgres.Sql {
    return this.#pool.sql;
  }

  /** The URL of the server that the present pool belongs to, alone. */
  get serverUrl(): string {
    return this.#host.url;
  }

  /**
   * Runs work on the pool under the deadline. Behind a pooler the server does not stop its statements: give slow reads to
   * `read`.
   * @throws DatabaseUnavailableError when the database is away; the work may have been done: verbs are safe to send again.
   */
  async call<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    return this.#run(work, this.#deadlineMs);
  }

  /**
   * Runs reads that can be slow, each of them stopped by the server before the deadline.
   * @throws QueryTimeoutError when one was stopped.
   */
  async read<T>(work: (sql: Executor) => Promise<T>): Promise<T> {
    return this.#hasOwnSessions ? this.call(work) : this.transaction(work);
  }

  /**
   * Runs work in one transaction under the deadline; it commits when the work resolves, else rolls back. What the
   * work notified is sent after the commit.
   */
  async transaction<T>(work: (tx: Tx) => Promise<T>, deadlineMs = this.#deadlineMs): Promise<T> {
    return this.#run(async (sql) => {
      const notices: Notice[] = [];
      const value = await sql.begin(async (tx) => {
        this.#limitStatements(tx, deadlineMs);
        collectNotices(tx, { collect: (notice) => notices.push(notice), takeQuiet: () => this.#notifier.takeQuiet() });
        return work(tx);
      });
      for (const notice of notices) this.#notifier.send(notice);
      // begin() unwraps arrays of promises in its type; the work's own value comes back as it is.
      return value as T;
    }, deadlineMs);
  }

  /**
   * The same database over one connection of its own. Each connection of a pool plans a statement for itself, in turn:
   * what must not wait for that now and then goes over one that has planned it. Close it as well.
   */
  apart(): Database {
    return new Database({ ...this.#options, maxConnections: 1 });
  }

  /** Waits for what is under way (5 s at the most) and closes the pool. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#notifier.close();
    await this.#pool.end(5_000);
  }

  /** Whether a connection's settings are ours: a pooler lends its connections by the transaction. */
  get #hasOwnSessions(): boolean {
    return this.#options.prepare ?? true;
  }

  get #host(): NamedHost {
    return this.#hosts.hosts[this.#hostIndex] ?? this.#hosts.hosts[0];
  }

  /** Sent together with the transaction's first statement: nobody waits for it. */
  #limitStatements(tx: Tx, deadlineMs: number): void {
    if (this.#hasOwnSessions && deadlineMs === this.#deadlineMs) return;
    void tx.unsafe(`set local statement_timeout = ${statementLimitMs(deadlineMs)}; set local jit = off`).execute();
  }

  async #run<T>(work: (sql: postgres.Sql) => Promise<T>, deadlineMs: number): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#pause.over();
        if (this.#isUntried) await this.#recover();
        const send = () => this.#attempt(work, deadlineMs);
        return await (this.#semaphore?.run(send, deadlineMs) ?? send());
      } catch (error) {
        if (isShortage(error)) this.#pause.begin(this.#closing.signal);
        if (attempt === MAX_TRIES || !isTransientError(error))
          throw toDatabaseError(error, statementLimitMs(deadlineMs));
      }
    }
  }

  async #attempt<T>(work: (sql: postgres.Sql) => Promise<T>, deadlineMs: number): Promise<T> {
    const pool = this.#pool;
    const sentAt = performance.now();
    const working = work(pool.sql);
    try {
      const value = await withDeadline(working, deadlineMs);
      pool.answered();
      this.#pause.clear();
      return value;
    } catch (error) {
      if (isServerError(error)) pool.answered();
      if (isConnectionError(error)) this.#meetConnectionError(pool, error);
      if (!(error instanceof DeadlineMissedError)) throw error;
      if (!pool.hasAnsweredSince(sentAt)) {
        this.#replace(pool, 0);
        throw new DatabaseUnavailableError(`The database did not answer within ${deadlineMs} ms`, { cause: error });
      }
      this.#doubt(pool, working, deadlineMs);
      throw tooSlow(deadlineMs, error);
    }
  }

  #meetConnectionError(pool: Pool, error: unknown): void {
    // A server that refuses writes answers: its pool is replaced to find another behind the same name, but not each time.
    if (isReadOnly(error) && !pool.isStable) return;
    this.#replace(pool, 0);
  }

  /** Others are answered, so that the work may only be slow; where it never ends, its connection is dead. */
  #doubt(pool: Pool, working: Promise<unknown>, deadlineMs: number): void {
    const timer = setTimeout(() => this.#replace(pool, deadlineMs), deadlineMs);
    timer.unref();
    const settle = () => clearTimeout(timer);
    working.then(settle, settle);
  }

  /** Waits for the shared attempt to reach a server that will do; rejects as that does. */
  async #recover(): Promise<void> {
    this.#recovery ??= this.#tryHosts().finally(() => {
      this.#recovery = undefined;
    });
    return this.#recovery;
  }

  async #tryHosts(): Promise<void> {
    await wait(backoffMs(this.#failureCount), undefined, { signal: this.#closing.signal }).catch(() => undefined);
    for (let tries = this.#hosts.hosts.length; ; tries -= 1) {
      const pool = this.#pool;
      try {
        await withDeadline(this.#probe(pool), Math.min(this.#hostLimitMs, this.#deadlineMs));
        this.#isUntried = false;
        return;
      } catch (error) {
        this.#replace(pool, 0);
        if (tries > 1 && !this.#closing.signal.aborted) continue;
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
    if (this.#hosts.mustWrite && row?.readOnly === true)
      throw new DatabaseUnavailableError("No host of the list takes writes", { fault: "READ_ONLY" });
  }

  /** Takes another pool, to the next host of the list; the old one has the grace, in milliseconds, to end its calls. */
  #replace(pool: Pool, graceMs: number): void {
    if (pool !== this.#pool || this.#closing.signal.aborted) return;
    this.#failureCount = pool.isStable ? 0 : this.#failureCount + 1;
    this.#isUntried = true;
    this.#hostIndex = (this.#hostIndex + 1) % this.#hosts.hosts.length;
    this.#pool = this.#open();
    void pool.end(graceMs);
  }

  #open(): Pool {
    const {
      maxConnections = DEFAULT_CONNECTIONS,
      applicationName = "threadmill",
      hasSlowReads = false,
    } = this.#options;
    const pool = new Pool({
      host: this.#host,
      maxConnections,
      connectLimitMs: this.#hostLimitMs,
      prepare: this.#hasOwnSessions,
      parameters: {
        application_name: applicationName,
        ...(this.#hasOwnSessions && { jit: "off", statement_timeout: String(statementLimitMs(this.#deadlineMs)) }),
        ...(this.#hasOwnSessions && hasSlowReads && { max_parallel_workers_per_gather: "0" }),
        ...(this.hasIndexedPlans && INDEXED_PLANS),
      },
    });
    // A statement by itself has committed when it returns.
    collectNotices(pool.sql, {
      collect: (notice) => this.#notifier.send(notice),
      takeQuiet: () => this.#notifier.takeQuiet(),
    });
    return pool;
  }
}

function statementLimitMs(deadlineMs: number): number {
  return Math.ceil(deadlineMs * STATEMENT_SHARE);
}
