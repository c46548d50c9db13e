import postgres from "postgres";

export interface ListenOptions {
  /** A direct connection: LISTEN hears nothing through a transaction-mode pooler. */
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
const FIRST_RETRY_MS = 100;

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
  #pool: postgres.Sql;
  #subscription: number | undefined;
  #failures = 0;
  #beating = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#heartbeatMs = options.heartbeatMs ?? 10_000;
    this.#pool = this.#open();
    void this.#beat();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#pool.end({ timeout: 1 });
  }

  #open(): postgres.Sql {
    const options = {
      fetch_types: false,
      max: 1,
      prepare: false,
      connect_timeout: 5,
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
        if (!this.#beating) this.#schedule(0);
      },
      connection: { application_name: "threadmill-listen" },
    };
    const pool = postgres(this.#options.url, options);
    return pool;
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
      this.#failures = 0;
      this.#schedule(this.#heartbeatMs);
      if (connection === this.#subscription || this.#stopped) return;
      this.#subscription = connection;
      for (const signal of Object.values(this.#options.channels)) signal();
    } catch {
      this.#replace();
      this.#schedule(Math.min(FIRST_RETRY_MS * 2 ** this.#failures, this.#heartbeatMs));
      this.#failures += 1;
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
    let late: NodeJS.Timeout | undefined;
    try {
      const silence = new Promise<never>((_resolve, reject) => {
        late = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
      });
      const answers = (await Promise.race([proof, silence])) as unknown as { pid: number }[][];
      return answers.at(-1)?.[0]?.pid ?? 0;
    } finally {
      clearTimeout(late);
      proof.catch(() => undefined);
    }
  }

  /** A connection that missed a heartbeat is not trusted any more. */
  #replace(): void {
    this.#subscription = undefined;
    if (this.#stopped) return;
    const silent = this.#pool;
    this.#pool = this.#open();
    silent.end({ timeout: 0 }).catch(() => undefined);
  }
}
