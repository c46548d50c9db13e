import postgres from "postgres";

export interface ListenOptions {
  /** A direct connection: LISTEN hears nothing through a transaction-mode pooler. */
  url: string;
  channel: string;
  /** Called with every notification's payload, and without one after each (re)subscription, when any may have been missed. */
  onSignal: (payload?: string) => void;
  /** How often the connection is proved alive, in milliseconds; LISTEN can die without a word. */
  heartbeatMs?: number;
}

/** Listens until stopped; a lost connection is made again by itself. */
export function listen({ url, channel, onSignal, heartbeatMs = 10_000 }: ListenOptions): { stop: () => Promise<void> } {
  let stopped = false;
  let sql = open();
  let timer: NodeJS.Timeout | undefined;

  function open(): postgres.Sql {
    const pool = postgres(url, {
      fetch_types: false,
      max: 1,
      prepare: false,
      connect_timeout: 5,
      onnotice: () => undefined,
      connection: { application_name: "threadmill-listen" },
    });
    pool.listen(channel, onSignal, () => onSignal()).catch(() => undefined);
    return pool;
  }

  async function beat(): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const proof = sql.listen(`${channel}_alive`, () => undefined).then(async (subscription) => subscription.unlisten());
    proof.catch(() => undefined);
    try {
      const deadline = new Promise<never>((_resolve, reject) => {
        late = setTimeout(() => reject(new Error("the listener is silent")), heartbeatMs);
      });
      await Promise.race([proof, deadline]);
    } catch {
      const silent = sql;
      if (!stopped) sql = open();
      silent.end({ timeout: 0 }).catch(() => undefined);
    } finally {
      clearTimeout(late);
      if (!stopped) schedule();
    }
  }

  function schedule(): void {
    timer = setTimeout(() => void beat(), heartbeatMs);
    timer.unref();
  }
  schedule();

  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await sql.end({ timeout: 1 });
    },
  };
}
