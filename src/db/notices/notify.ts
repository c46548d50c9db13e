/**
 * `notices/` sends and receives NOTIFY. It owns the batches after commits and the listener's connection. It must not know
 * what a notice means. Invariant: a lost notice costs time only, so sending never fails a caller.
 */
import type { Sql } from "postgres";
import type { Executor } from "../connection/client.ts";
import { send, UNFLUSHED } from "../statement.ts";

export interface Notice {
  channel: string;
  payload: string;
}

const SPACING_MS = 5;

interface Collector {
  collect: (notice: Notice) => void;
  /** True when no NOTIFY was sent for `SPACING_MS`. Records that one is sent now. */
  mayNotifyNow: () => boolean;
}
const collecting = new WeakMap<Executor, Collector>();

/** Registers the collector of a pool's or a transaction's notices. */
export function collectNotices(sql: Executor, collector: Collector): void {
  collecting.set(sql, collector);
}

/**
 * Returns true when a statement may contain its NOTIFY, which saves a round trip. It may in a caller's own transaction, and
 * while notices are so rare that their commits do not wait for each other. Call it once for each statement.
 */
export function mayNotifyWithin(sql: Executor): boolean {
  return collecting.get(sql)?.mayNotifyNow() ?? true;
}

/**
 * Sends a NOTIFY that is delivered after the transaction has committed. A caller's own transaction contains it. `Database`
 * sends it after the commit, in one batch with others. PostgreSQL commits notifying transactions one at a time, so
 * submitters would otherwise wait for each other.
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export async function notifyAfterCommit(sql: Executor, channel: string, payload: string): Promise<void> {
  const collector = collecting.get(sql);
  if (collector) collector.collect({ channel, payload });
  else await sql`select pg_notify(${channel}, ${payload})`;
}

/**
 * Sends notices of committed changes in one transaction. Its commit waits for no flush: the changes are on the disk, and a
 * server that crashes loses its notices anyway.
 */
export async function sendNotices(sql: Sql, notices: readonly Notice[]): Promise<void> {
  const values = [notices.map((notice) => notice.channel), notices.map((notice) => notice.payload)];
  await send(sql, { text: NOTIFY, values });
}

const NOTIFY = `
  select pg_notify(channel, payload), ${UNFLUSHED} from unnest($1::text[], $2::text[]) as notice (channel, payload)`;

/** Sends the first notice at once, and the notices of the next `SPACING_MS` in one batch. */
export class Notifier {
  readonly #send: (notices: readonly Notice[]) => Promise<void>;
  readonly #waiting = new Map<string, Notice>();
  #sending: Promise<void> | undefined;
  #sentAt = -Infinity;

  constructor(sendAll: (notices: readonly Notice[]) => Promise<void>) {
    this.#send = sendAll;
  }

  /** Never throws: polling finds the changes of a lost notice. */
  send(notice: Notice): void {
    this.#waiting.set(`${notice.channel}\n${notice.payload}`, notice);
    this.#sending ??= this.#run();
  }

  /** True when nothing was sent for `SPACING_MS`. Records that the caller sends a notice now. */
  mayNotifyNow(): boolean {
    const now = performance.now();
    if (this.#sending || now - this.#sentAt < SPACING_MS) return false;
    this.#sentAt = now;
    return true;
  }

  /** Resolves when every notice has been sent. */
  async close(): Promise<void> {
    await this.#sending;
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      const notices = [...this.#waiting.values()];
      this.#waiting.clear();
      this.#sentAt = performance.now();
      await this.#send(notices).catch(() => undefined);
      if (this.#waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, SPACING_MS));
    }
    this.#sending = undefined;
  }
}
