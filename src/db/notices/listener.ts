import postgres from "postgres";
import { readHosts } from "#shared/database-url";
import type { HostList, NamedHost } from "#shared/database-url";
import { backoffMs } from "../connection/backoff.ts";
import { withDeadline } from "../connection/deadline.ts";
import { Dialer } from "../connection/dialer.ts";

export interface ListenOptions {
  /** A direct connection: LISTEN hears nothing through a transaction-mode pooler. Several hosts are tried in turn. */
  url: string;
  /**
   * By channel, what is called with every notification's payload, and without one after each (re)subscription, when any may
   * have been missed. One connection for all: a notice wakes every process of the server that listens to anything.
   */
  channels: Readonly<Record<string, (payload?: string) => void>>;
  /** How often the subscription is proved alive, in milliseconds; LISTEN can die without a word. */
  heartbeatMs?: number;
}

const PROOF_LIMIT_MS = 5_000;
const CONNECT_LIMIT_MS = 5_000;

/**
 * Listens until stopped; a lost subscription is made again by itself, at once when the connection closes and at the
 * next heartbeat when it only went silent. `sql.listen` of postgres.js is not used: it forgets a channel for good when
 * its first attempt to reconnect fails.
 */
export function listen(options: ListenOptions): { stop: () => Promise<void> } {
  const listener = new Listener(options);
  return { stop: async () => listener.stop() };
}

class Listener {
  readonly #options: ListenOptions;
  readonly #heartbeatMs: number;
  readonly #hosts: HostList;
  #hostIndex = 0;
  #dialer: Dialer;
  #pool: postgres.Sql;
  #subscription: number | undefined;
  /** Subscriptions in a row that were not made, or did not last until a heartbeat. */
  #failureCount = 0;
  #beating = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#heartbeatMs = options.heartbeatMs ?? 10_000;
    this.#hosts = readHosts(options.url);
    this.#dialer = this.#newDialer();
    this.#pool = this.#open();
    void this.#beat();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#pool.end({ timeout: 1 });
    this.#dialer.close();
  }

  get #host(): NamedHost {
    return this.#hosts.hosts[this.#hostIndex] ?? this.#hosts.hosts[0];
  }

  #newDialer(): Dialer {
    return new Dialer(this.#host, 1);
  }

  #open(): postgres.Sql {
    const options = {
      ...this.#dialer.driverOptions,
      fetch_types: false,
      max: 1,
      prepare: false,
      connect_timeout: CONNECT_LIMIT_MS / this.#hosts.hosts.length / 1000,
      backoff: false,
      // A connection that is closed for being idle or old would take the subscription with it.
      idle_timeout: 0,
      max_lifetime: null,
      onnotice: () => undefined,
      onnotify: (channel: string, payload: string) => {
        if (!this.#stopped) this.#options.channels[channel]?.(payload);
      },
      onclose: () => {
        if (pool !== this.#pool) return;
        this.#subscription = undefined;
        if (!this.#beating) this.#retry();
      },
      connection: { application_name: "threadmill-listen" },
    };
    const pool = postgres(this.#host.url, options);
    return pool;
  }

  /** Subscribes again: at once the first time, later after a doubling delay. */
  #retry(): void {
    this.#schedule(backoffMs(this.#failureCount));
    this.#failureCount += 1;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#beat(), delayMs);
    this.#timer.unref();
  }

  /** Subscribes again, which changes nothing on a connection that is subscribed and repairs one that is new. */
  async #beat(): Promise<void> {
    this.#beating = true;
    try {
      const connection = await this.#subscribe(this.#pool);
      this.#dialer.answered();
      this.#schedule(this.#heartbeatMs);
      if (connection === this.#subscription) this.#failureCount = 0;
      if (connection === this.#subscription || this.#stopped) return;
      this.#subscription = connection;
      for (const signal of Object.values(this.#options.channels)) signal();
    } catch {
      this.#replace();
      this.#retry();
    } finally {
      this.#beating = false;
    }
  }

  /** Answers which connection is subscribed; rejects when the server does not answer in time. */
  async #subscribe(pool: postgres.Sql): Promise<number> {
    const limitMs = Math.min(this.#heartbeatMs, PROOF_LIMIT_MS);
    // LISTEN takes no parameters.
    const listens = Object.keys(this.#options.channels).map((name) => `listen "${name.replaceAll('"', '""')}";`);
    const proof = pool.unsafe(`${listens.join(" ")} select pg_backend_pid() as pid`).simple();
    const answers = (await withDeadline(proof, limitMs)) as unknown as { pid: number }[][];
    return answers.at(-1)?.[0]?.pid ?? 0;
  }

  /** A connection that missed a heartbeat is not trusted any more. */
  #replace(): void {
    this.#subscription = undefined;
    if (this.#stopped) return;
    const [silent, dialer] = [this.#pool, this.#dialer];
    this.#hostIndex = (this.#hostIndex + 1) % this.#hosts.hosts.length;
    this.#dialer = this.#newDialer();
    this.#pool = this.#open();
    silent
      .end({ timeout: 0 })
      .catch(() => undefined)
      .finally(() => dialer.close());
  }
}
