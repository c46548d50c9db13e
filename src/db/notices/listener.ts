import { Service } from "#shared/service";
import postgres from "postgres";
import { readHosts } from "#shared/database-url";
import type { HostList, NamedHost } from "#shared/database-url";
import { backoffMs } from "../connection/backoff.ts";
import { withDeadline } from "../connection/deadline.ts";
import { Dialer } from "../connection/dialer.ts";

export interface ListenerOptions {
  /** A direct connection: LISTEN hears nothing through a transaction-mode pooler. Several hosts are tried in turn. */
  url: string;
  /**
   * By channel, the function that gets the payload of each notification. It is called without a payload after each
   * (re)subscription, because notifications may have been missed. All channels share one connection.
   */
  channels: Readonly<Record<string, (payload?: string) => void>>;
  /** The interval of the proofs that the subscription is alive, because LISTEN can die without an error; 10 s unless given. */
  heartbeatMs?: number;
}

const DEFAULT_HEARTBEAT_MS = 10_000;
const PROOF_LIMIT_MS = 5_000;
const CONNECT_LIMIT_MS = 5_000;

/**
 * Listens to channels of NOTIFY. It subscribes again at once when the connection closes, and at the next heartbeat when
 * the connection went silent. `start` does not wait for the first subscription, because the database may be away. It does
 * not use `sql.listen` of postgres.js, which forgets a channel for good when its first attempt to reconnect fails.
 */
export class Listener extends Service {
  readonly #options: ListenerOptions;
  readonly #heartbeatMs: number;
  readonly #hosts: HostList;
  #hostIndex = 0;
  #dialer: Dialer;
  #pool: postgres.Sql;
  /** The process id of the subscribed backend; undefined while there is none. */
  #subscribedPid: number | undefined;
  /** Subscriptions in a row that failed, or did not last until a heartbeat. */
  #failureCount = 0;
  #isBeating = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ListenerOptions) {
    super();
    this.#options = options;
    this.#heartbeatMs = options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS;
    this.#hosts = readHosts(options.url);
    this.#dialer = new Dialer(this.#host, 1);
    this.#pool = this.#open();
  }

  protected onStart(): void {
    void this.#beat();
  }

  protected async onStop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#pool.end({ timeout: 1 });
    this.#dialer.close();
  }

  get #host(): NamedHost {
    return this.#hosts.hosts[this.#hostIndex] ?? this.#hosts.hosts[0];
  }

  #open(): postgres.Sql {
    const options = {
      ...this.#dialer.driverOptions,
      fetch_types: false,
      max: 1,
      prepare: false,
      connect_timeout: CONNECT_LIMIT_MS / this.#hosts.hosts.length / 1000,
      backoff: false,
      // A connection that the driver closes as idle or old would end the subscription.
      idle_timeout: 0,
      max_lifetime: null,
      onnotice: () => undefined,
      onnotify: (channel: string, payload: string) => {
        if (!this.stopping.aborted) this.#options.channels[channel]?.(payload);
      },
      onclose: () => {
        if (pool !== this.#pool) return;
        this.#subscribedPid = undefined;
        if (!this.#isBeating) this.#retry();
      },
      connection: { application_name: "threadmill-listen" },
    };
    const pool = postgres(this.#host.url, options);
    return pool;
  }

  /** Subscribes again: the first time at once, then after a doubling delay. */
  #retry(): void {
    this.#schedule(backoffMs(this.#failureCount));
    this.#failureCount += 1;
  }

  #schedule(delayMs: number): void {
    if (this.stopping.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#beat(), delayMs);
    this.#timer.unref();
  }

  /** Sends LISTEN again, which a subscribed connection ignores and a new one needs. */
  async #beat(): Promise<void> {
    this.#isBeating = true;
    try {
      const pid = await this.#subscribe(this.#pool);
      this.#dialer.answered();
      this.#schedule(this.#heartbeatMs);
      if (pid === this.#subscribedPid) this.#failureCount = 0;
      if (pid === this.#subscribedPid || this.stopping.aborted) return;
      this.#subscribedPid = pid;
      for (const signal of Object.values(this.#options.channels)) signal();
    } catch {
      this.#replace();
      this.#retry();
    } finally {
      this.#isBeating = false;
    }
  }

  /** Returns the process id of the subscribed backend; rejects when the server does not answer in time. */
  async #subscribe(pool: postgres.Sql): Promise<number> {
    const limitMs = Math.min(this.#heartbeatMs, PROOF_LIMIT_MS);
    // LISTEN takes no parameters.
    const listens = Object.keys(this.#options.channels).map((name) => `listen "${name.replaceAll('"', '""')}";`);
    const proof = pool.unsafe(`${listens.join(" ")} select pg_backend_pid() as pid`).simple();
    const answers = (await withDeadline(proof, limitMs)) as unknown as { pid: number }[][];
    return answers.at(-1)?.[0]?.pid ?? 0;
  }

  /** Drops a connection that missed a heartbeat, and opens one to the next host. */
  #replace(): void {
    this.#subscribedPid = undefined;
    if (this.stopping.aborted) return;
    const [silent, dialer] = [this.#pool, this.#dialer];
    this.#hostIndex = (this.#hostIndex + 1) % this.#hosts.hosts.length;
    this.#dialer = new Dialer(this.#host, 1);
    this.#pool = this.#open();
    silent
      .end({ timeout: 0 })
      .catch(() => undefined)
      .finally(() => dialer.close());
  }
}
