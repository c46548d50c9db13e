/**
 * `connection/` reaches PostgreSQL. It owns pools, sockets, deadlines and failover. It must not know tables or jobs.
 * Invariants: each attempt of a call settles within its deadline, also when the connection is cut. One slow call never
 * costs the others their pool.
 */
import type postgres from "postgres";
import { readHosts } from "#shared/database-url";
import type { NamedHost } from "#shared/database-url";
import { isShortage, isTransientError, toDatabaseError } from "../errors.ts";
import { collectNotices, Notifier, sendNotices } from "../notices/notify.ts";
import type { Notice } from "../notices/notify.ts";
import { FailoverPool } from "./failover-pool.ts";
import { surviveLateWrites } from "./late-write.ts";
import { Pool } from "./pool.ts";
import { Semaphore } from "./semaphore.ts";
import { hasOwnSessions, sessionParameters } from "./session-parameters.ts";
import { SharedPause } from "./shared-pause.ts";

/** A pool or a transaction of postgres.js; every verb of the queue takes one. */
export type Executor = postgres.ISql;
/** A transaction of postgres.js, for verbs whose statements must commit together. */
export type Tx = postgres.TransactionSql;

export interface DatabaseOptions {
  /** May list several hosts, which are tried in turn. */
  url: string;
  /** The size of the pool; 10 unless given. */
  maxConnections?: number;
  /** The longest one call may take, in milliseconds; 5,000 unless given. The server stops statements at four fifths of it. */
  deadlineMs?: number;
  /** False when the URL is a transaction-mode pooler. */
  prepare?: boolean;
  /** For workers: plans use ordered indexes and stay good as the table grows. No effect behind a pooler. */
  avoidTableScans?: boolean;
  /** For reads that may be slow: each has a connection to itself and uses one core of the server at most. */
  hasSlowReads?: boolean;
  /** Shown in `pg_stat_activity`. */
  applicationName?: string;
}

const DEFAULT_CONNECTIONS = 10;
const DEFAULT_DEADLINE_MS = 5_000;
/** The server stops a statement at this share of the deadline, so that its error reaches the caller in time. */
const STATEMENT_SHARE = 0.8;
const MAX_TRIES = 4;
const CLOSE_LIMIT_MS = 5_000;

/**
 * The database, with a deadline for every call. The server stops a statement that would miss it (`statement_timeout`), which
 * costs other calls nothing. A query on a cut connection never settles by itself: then the pool is replaced.
 */
export class Database {
  readonly #options: DatabaseOptions;
  readonly #deadlineMs: number;
  readonly #pool: FailoverPool;
  /** A server that lacks resources may have them soon. All calls share one pause, or each would ask for a connection. */
  readonly #pause = new SharedPause();
  readonly #closing = new AbortController();
  /** As many permits as connections: the driver would send a statement behind a slow one on the same connection. */
  readonly #permits: Semaphore | undefined;
  readonly #notifier = new Notifier(async (notices) => sendNotices(this.sql, notices));

  constructor(options: DatabaseOptions) {
    const { url, maxConnections = DEFAULT_CONNECTIONS, deadlineMs = DEFAULT_DEADLINE_MS } = options;
    this.#options = options;
    this.#deadlineMs = deadlineMs;
    this.#permits = options.hasSlowReads ? new Semaphore(maxConnections, "reads") : undefined;
    surviveLateWrites();
    this.#pool = new FailoverPool({
      hosts: readHosts(url),
      open: (host, connectLimitMs) => this.#open({ host, connectLimitMs, maxConnections }),
      probeLimitMs: deadlineMs,
      closing: this.#closing.signal,
    });
  }

  /** True when its connections have `INDEXED_PLANS`. */
  get hasIndexedPlans(): boolean {
    return (this.#options.avoidTableScans ?? false) && hasOwnSessions(this.#options);
  }

  /** The present pool. Read it again for each use: it is replaced after a fault. */
  get sql(): postgres.Sql {
    return this.#pool.sql;
  }

  /** The URL of the present pool's server alone. */
  get serverUrl(): string {
    return this.#pool.host.url;
  }

  /**
   * Runs work on the pool under the deadline. Behind a pooler the server does not stop its statements: use `read` there for
   * slow reads.
   * @throws DatabaseUnavailableError when the database is away. The work may have committed: every verb is safe to send again.
   */
  async call<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    return this.#run(work, this.#deadlineMs);
  }

  /**
   * Runs reads that may be slow; the server stops each of them before the deadline, also behind a pooler.
   * @throws QueryTimeoutError when the server stopped one.
   */
  async read<T>(work: (sql: Executor) => Promise<T>): Promise<T> {
    return hasOwnSessions(this.#options) ? this.call(work) : this.transaction(work);
  }

  /**
   * Runs work in one transaction under the deadline. It commits when the work resolves, and rolls back otherwise. Notices of
   * the work are sent after the commit.
   */
  async transaction<T>(work: (tx: Tx) => Promise<T>, deadlineMs = this.#deadlineMs): Promise<T> {
    return this.#run(async (sql) => {
      const notices: Notice[] = [];
      const value = await sql.begin(async (tx) => {
        this.#limitStatements(tx, deadlineMs);
        collectNotices(tx, {
          collect: (notice) => notices.push(notice),
          mayNotifyNow: () => this.#notifier.mayNotifyNow(),
        });
        return work(tx);
      });
      for (const notice of notices) this.#notifier.send(notice);
      // Only the type of begin() unwraps arrays of promises; the value is the work's own.
      return value as T;
    }, deadlineMs);
  }

  /**
   * The same database over one connection of its own; close it as well. Each connection of a pool plans each statement
   * once, so a latency-critical statement runs on a connection that has planned it already.
   */
  withOwnConnection(): Database {
    return new Database({ ...this.#options, maxConnections: 1 });
  }

  /** Waits up to 5 s for running calls, then closes the pool. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#notifier.close();
    await this.#pool.end(CLOSE_LIMIT_MS);
  }

  /** Sends the work, and sends it again when the server rolled it back for a transient reason. */
  async #run<T>(work: (sql: postgres.Sql) => Promise<T>, deadlineMs: number): Promise<T> {
    const send = async () => this.#pool.send(work, deadlineMs);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#pause.over();
        if (this.#pool.isUntried) await this.#pool.recover();
        const value = await (this.#permits?.run(send, deadlineMs) ?? send());
        this.#pause.clear();
        return value;
      } catch (error) {
        if (isShortage(error)) this.#pause.begin(this.#closing.signal);
        if (attempt === MAX_TRIES || !isTransientError(error))
          throw toDatabaseError(error, statementLimitMs(deadlineMs));
      }
    }
  }

  /** Limits the transaction's statements unless the session does. Sent with the first statement, without a round trip. */
  #limitStatements(tx: Tx, deadlineMs: number): void {
    if (hasOwnSessions(this.#options) && deadlineMs === this.#deadlineMs) return;
    void tx.unsafe(`set local statement_timeout = ${statementLimitMs(deadlineMs)}; set local jit = off`).execute();
  }

  #open(where: { host: NamedHost; connectLimitMs: number; maxConnections: number }): Pool {
    const pool = new Pool({
      ...where,
      prepare: hasOwnSessions(this.#options),
      parameters: sessionParameters(this.#options, statementLimitMs(this.#deadlineMs)),
    });
    // A statement outside a transaction has committed when it returns, so its notice is sent at once.
    collectNotices(pool.sql, {
      collect: (notice) => this.#notifier.send(notice),
      mayNotifyNow: () => this.#notifier.mayNotifyNow(),
    });
    return pool;
  }
}

function statementLimitMs(deadlineMs: number): number {
  return Math.ceil(deadlineMs * STATEMENT_SHARE);
}
