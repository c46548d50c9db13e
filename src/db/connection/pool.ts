import postgres from "postgres";
import { ARRAY_TYPES } from "./array-types.ts";
import { STABLE_MS } from "./backoff.ts";
import { Dialer } from "./dialer.ts";
import type { NamedHost } from "./hosts.ts";

/**
 * Planner settings under which a statement walks an index in order and looks rows up one by one, wherever it can, and is
 * planned once for each connection: planning the claim takes longer than running it.
 *
 * Needs `jit = off`: a disabled scan adds 10^10 to the cost of its plan, so that the server would compile every claim.
 */
export const INDEXED_PLANS = {
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_sort: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  plan_cache_mode: "force_generic_plan",
} as const;

export interface PoolOptions {
  host: NamedHost;
  maxConnections: number;
  /** How long a connection may take to be made, login included, in milliseconds. */
  connectLimitMs: number;
  prepare: boolean;
  /** Start-up parameters; a pooler refuses those that it does not know. */
  parameters: Readonly<Record<string, string>>;
}

/** One pool of connections to one server, and what is known of whether that server answers. */
export class Pool {
  readonly sql: postgres.Sql;
  readonly #dialer: Dialer;
  #firstAnswerAt = Infinity;
  #answeredAt = -Infinity;

  constructor({ host, maxConnections, prepare, ...options }: PoolOptions) {
    this.#dialer = new Dialer(host, maxConnections);
    const driverOptions = {
      ...ARRAY_TYPES,
      ...this.#dialer.driverOptions,
      max: maxConnections,
      prepare,
      connect_timeout: options.connectLimitMs / 1000,
      backoff: false,
      onnotice: () => undefined,
      connection: options.parameters,
    };
    this.sql = postgres(host.url, driverOptions);
  }

  /** Whether the server has answered anything since then, a time of `performance.now()`. */
  hasAnsweredSince(time: number): boolean {
    return this.#answeredAt >= time;
  }

  /** Whether the server has been answering for long enough to be trusted. */
  get isStable(): boolean {
    return performance.now() - this.#firstAnswerAt > STABLE_MS;
  }

  answered(): void {
    this.#answeredAt = performance.now();
    this.#firstAnswerAt = Math.min(this.#firstAnswerAt, this.#answeredAt);
    this.#dialer.answered();
  }

  /** Closes it once what is under way has ended, or after so many milliseconds. Never throws. */
  async end(graceMs: number): Promise<void> {
    await this.sql.end({ timeout: graceMs / 1000 }).catch(() => undefined);
    this.#dialer.close();
  }
}
