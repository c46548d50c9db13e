import postgres from "postgres";
import { ARRAY_TYPES } from "./array-types.ts";
import { DatabaseUnavailableError, errorCode, isConnectionError, isTransientError } from "./errors.ts";
import { surviveLateWrites } from "./late-write.ts";
import { collectNotices, Notifier, sendNotices } from "./notify.ts";
import type { Notice } from "./notify.ts";

/** A pool or a transaction of postgres.js: what every verb of the queue takes. */
export type Executor = postgres.ISql;
/** A transaction of postgres.js: what a verb takes that needs several statements to be one. */
export type Tx = postgres.TransactionSql;

export interface DatabaseOptions {
  url: string;
  /** The most connections the pool may open. */
  maxConnections?: number;
  /** How long one call may take before its pool is given up, in milliseconds. */
  deadlineMs?: number;
  /** False where the URL is a transaction-mode pooler. */
  prepare?: boolean;
  /**
   * True for a worker's pool: its statements are made to live on ordered indexes, and a plan that was chosen while the
   * table was small must not stay when it has grown. Without effect behind a pooler, whose connections are not ours to set.
   */
  avoidTableScans?: boolean;
  /** Shown in `pg_stat_activity`. */
  applicationName?: string;
}

/**
 * Needs `jit = off`: a disabled scan adds 10^10 to the cost of its plan, so that the server would compile every claim.
 *
 * Planner settings under which a statement walks an index in order and looks rows up one by one, wherever it can, and is
 * planned once for each connection: planning the claim takes longer than running it.
 */
export const INDEXED_PLANS = {
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_sort: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  plan_cache_mode: "force_generic_plan",
} as const;

const DEFAULT_DEADLINE_MS = 5_000;
const MAX_TRIES = 4;

/**
 * The pool, and the deadline that every call has. A query on a cut connection never settles by itself, so a pool
 * that missed a deadline or met a connection error is replaced, not trusted.
 */
export class Database {
  readonly #options: DatabaseOptions;
  #pool: postgres.Sql;
  #closed = false;
  readonly #notifier = new Notifier(async (notices) => sendNotices(this.#pool, notices));

  constructor(options: DatabaseOptions) {
    this.#options = options;
    surviveLateWrites();
    this.#pool = this.#open();
  }

  /** Whether its connections have `INDEXED_PLANS`. */
  get hasIndexedPlans(): boolean {
    return hasIndexedPlans(this.#options);
  }

  /** The present pool. Take it anew for each use: it is replaced after a fault. */
  get sql(): postgres.Sql {
    return this.#pool;
  }

  /**
   * Runs work on the pool under the deadline.
   * @throws DatabaseUnavailableError when the database is away; the work may have been done: verbs are safe to send again.
   */
  async call<T>(
    work: (sql: postgres.Sql) => Promise<T>,
    deadlineMs = this.#options.deadlineMs ?? DEFAULT_DEADLINE_MS,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const pool = this.#pool;
      try {
        return await withDeadline(work(pool), deadlineMs);
      } catch (error) {
        if (isTransientError(error) && attempt < MAX_TRIES) continue;
        if (!(error instanceof DatabaseUnavailableError) && !isConnectionError(error)) throw error;
        this.#replace(pool);
        if (error instanceof DatabaseUnavailableError) throw error;
        throw new DatabaseUnavailableError(`The database cannot be reached (${errorCode(error)})`, { cause: error });
      }
    }
  }

  /**
   * Runs work in one transaction under the deadline; it commits when the work resolves, else rolls back. What the
   * work notified is sent after the commit.
   */
  async transaction<T>(work: (tx: Tx) => Promise<T>, deadlineMs?: number): Promise<T> {
    return this.call(async (sql) => {
      const notices: Notice[] = [];
      const value = await sql.begin(async (tx) => {
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
    this.#closed = true;
    await this.#notifier.close();
    await this.#pool.end({ timeout: 5 });
  }

  #open(): postgres.Sql {
    const pool = openPool(this.#options);
    // A statement by itself has committed when it returns.
    collectNotices(pool, {
      collect: (notice) => this.#notifier.send(notice),
      takeQuiet: () => this.#notifier.takeQuiet(),
    });
    return pool;
  }

  #replace(pool: postgres.Sql): void {
    if (pool !== this.#pool || this.#closed) return;
    this.#pool = this.#open();
    pool.end({ timeout: 0 }).catch(() => undefined);
  }
}

function hasIndexedPlans({ avoidTableScans = false, prepare = true }: DatabaseOptions): boolean {
  return avoidTableScans && prepare;
}

function openPool(options: DatabaseOptions): postgres.Sql {
  return postgres(options.url, {
    ...ARRAY_TYPES,
    max: options.maxConnections ?? 10,
    prepare: options.prepare ?? true,
    connect_timeout: 5,
    backoff: false,
    onnotice: () => undefined,
    connection: {
      application_name: options.applicationName ?? "threadmill",
      // A pooler refuses start-up parameters that it does not know.
      ...(options.prepare !== false && { jit: "off" }),
      ...(hasIndexedPlans(options) && INDEXED_PLANS),
    },
  });
}

async function withDeadline<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new DatabaseUnavailableError(`The database did not answer within ${deadlineMs} ms`)),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
