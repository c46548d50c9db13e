import type { Sql } from "postgres";
import type { Executor } from "../connection/client.ts";
import { send, UNFLUSHED } from "../statement.ts";

/** One NOTIFY. */
export interface Notice {
  channel: string;
  payload: string;
}

const SPACING_MS = 5;

interface Collector {
  collect: (notice: Notice) => void;
  /** Whether none was sent for so long that another may go out by itself; counts as one that was. */
  takeQuiet: () => boolean;
}
const collecting = new WeakMap<Executor, Collector>();

/** Hands a pool's or a transaction's notices to whoever sends them later. */
export function collectNotices(sql: Executor, collector: Collector): void {
  collecting.set(sql, collector);
}

/**
 * Whether a statement may notify by itself, which saves a way to the server: in a caller's own transaction, and where
 * notices are so few that no commit waits for another's. Ask once for each statement.
 */
export function mayNotifyWithin(sql: Executor): boolean {
  return collecting.get(sql)?.takeQuiet() ?? true;
}

/**
 * Sends a NOTIFY that is heard once the transaction has committed. In a transaction of `Database` it is sent after the
 * commit, together with others: PostgreSQL commits transactions that notify one at a time, so NOTIFY within them would
 * make every submitter wait for the one before. In a caller's own transaction it is part of that transaction.
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export async function notifyAfterCommit(sql: Executor, channel: string, payload: string): Promise<void> {
  const collector = collecting.get(sql);
  if (collector) collector.collect({ channel, payload });
  else await sql`select pg_notify(${channel}, ${payload})`;
}

/**
 * Sends notices of what has committed, in one transaction. What they tell of is on the disk, and a server that crashes
 * forgets notices anyway: the commit waits for no flush.
 */
export async function sendNotices(sql: Sql, notices: readonly Notice[]): Promise<void> {
  const values = [notices.map((notice) => notice.channel), notices.map((notice) => notice.payload)];
  await send(sql, { text: NOTIFY, values });
}

const NOTIFY = `
  select pg_notify(channel, payload), ${UNFLUSHED} from unnest($1::text[], $2::text[]) as notice (channel, payload)`;

/** Sends the first notice at once, and those that come within milliseconds of it as one. */
export class Notifier {
  readonly #send: (notices: readonly Notice[]) => Promise<void>;
  readonly #waiting = new Map<string, Notice>();
  #sending: Promise<void> | undefined;
  #sentAt = -Infinity;

  constructor(sendAll: (notices: readonly Notice[]) => Promise<void>) {
    this.#send = sendAll;
  }

  /** Never throws: a notice that cannot be sent is made up for by polling. */
  send(notice: Notice): void {
    this.#waiting.set(`${notice.channel}\n${notice.payload}`, notice);
    this.#sending ??= this.#run();
  }

  /** Whether nothing was sent for some milliseconds; what asks is taken to send one now. */
  takeQuiet(): boolean {
    const now = performance.now();
    if (this.#sending || now - this.#sentAt < SPACING_MS) return false;
    this.#sentAt = now;
    return true;
  }

  /** Resolves when everything has been sent. */
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
