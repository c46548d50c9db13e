import postgres from "postgres";
import type { NamedHost } from "#shared/database-url";
import { ARRAY_TYPES } from "./array-types.ts";
import { STABLE_MS } from "./backoff.ts";
import { Dialer } from "./dialer.ts";

export interface PoolOptions {
  host: NamedHost;
  maxConnections: number;
  /** How long one connection may take to be established, login included, in milliseconds. */
  connectLimitMs: number;
  prepare: boolean;
  /** Start-up parameters of each connection. */
  parameters: Readonly<Record<string, string>>;
}

/** One pool of connections to one server. Records when that server answered. */
export class Pool {
  readonly sql: postgres.Sql;
  readonly #dialer: Dialer;
  #firstAnswerAt = Infinity;
  #answeredAt = -Infinity;

  constructor({ host, maxConnections, connectLimitMs, prepare, parameters }: PoolOptions) {
    this.#dialer = new Dialer(host, maxConnections);
    const options = {
      ...ARRAY_TYPES,
      ...this.#dialer.driverOptions,
      max: maxConnections,
      prepare,
      connect_timeout: connectLimitMs / 1000,
      backoff: false,
      onnotice: () => undefined,
      connection: parameters,
    };
    this.sql = postgres(host.url, options);
  }

  /** True when the server has answered any call since `time` (of `performance.now()`). */
  hasAnsweredSince(time: number): boolean {
    return this.#answeredAt >= time;
  }

  /** True once the server's first answer is older than `STABLE_MS`. */
  get isStable(): boolean {
    return performance.now() - this.#firstAnswerAt > STABLE_MS;
  }

  answered(): void {
    this.#answeredAt = performance.now();
    this.#firstAnswerAt = Math.min(this.#firstAnswerAt, this.#answeredAt);
    this.#dialer.answered();
  }

  /** Closes the pool when its calls have ended, or after `graceMs`. Never throws. */
  async end(graceMs: number): Promise<void> {
    await this.sql.end({ timeout: graceMs / 1000 }).catch(() => undefined);
    this.#dialer.close();
  }
}
