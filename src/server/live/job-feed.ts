import type { EventPage } from "#queue/events";
import type { JobEvent } from "#shared/contracts";
import { JobWatch } from "./job-watch.ts";

/** What is kept in memory for readers that follow closely, so many and of that size; others read their pages from the database. */
const KEPT_EVENTS = 500;
const KEPT_CHARS = 200_000;

/** The newest events of one job, shared by its readers. */
export class JobFeed {
  /** How many follow it. */
  readers = 0;
  readonly #read: (after: number) => Promise<EventPage>;
  #kept: JobEvent[] = [];
  #sizes: number[] = [];
  /** The number of the newest event known. */
  #head: number;
  #closed = false;
  #failure: Error | undefined;
  #dirty = false;
  #reading = false;
  readonly #waiting = new Set<JobWatch>();

  /** @param head the number from which on the feed reads; @param read gives the page after a number. */
  constructor(head: number, read: (after: number) => Promise<EventPage>) {
    this.#head = head;
    this.#read = read;
  }

  /** Whether it has come to its end: the log is closed, or could not be read. */
  get over(): boolean {
    return this.#closed || this.#failure !== undefined;
  }

  /** The number of the newest event known. */
  get head(): number {
    return this.#head;
  }

  /** Ends it for its readers, who may follow again. */
  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error("the log could not be read", { cause: error });
    for (const watch of this.#waiting) watch.hear();
  }

  /** Reads what is new; called while it reads, it reads once more. */
  refresh(): void {
    this.#dirty = true;
    if (!this.#reading) void this.#catchUp();
  }

  /**
   * The events after a number; waits until there are some, the log is closed or the reader leaves.
   * @throws DatabaseUnavailableError when the database is away.
   */
  async next(after: number, signal: AbortSignal): Promise<EventPage> {
    while (!signal.aborted) {
      if (this.#failure !== undefined) throw this.#failure;
      const oldest = this.#kept[0]?.seq ?? Infinity;
      if (after < this.#head) {
        // A reader that fell behind what is kept takes its page from the database.
        if (oldest > after + 1) return this.#read(after);
        return { events: this.#kept.slice(after + 1 - oldest), closed: this.#closed };
      }
      if (this.#closed) return { events: [], closed: true };
      await this.#change(signal);
    }
    return { events: [], closed: false };
  }

  async #catchUp(): Promise<void> {
    this.#reading = true;
    while (this.#dirty && !this.#closed) {
      this.#dirty = false;
      try {
        const { events, closed } = await this.#read(this.#head);
        this.#keep(events);
        this.#head = events.at(-1)?.seq ?? this.#head;
        this.#closed = closed;
        // A page that brought something may have been full.
        if (events.length > 0) this.#dirty = true;
      } catch (error) {
        this.fail(error);
      }
      for (const watch of this.#waiting) watch.hear();
    }
    this.#reading = false;
  }

  #keep(events: readonly JobEvent[]): void {
    const kept = [...this.#kept, ...events].slice(-KEPT_EVENTS);
    this.#sizes.push(...events.map(({ data }) => JSON.stringify(data).length));
    this.#sizes = this.#sizes.slice(-KEPT_EVENTS);
    let chars = this.#sizes.reduce((sum, size) => sum + size, 0);
    let drop = 0;
    for (; chars > KEPT_CHARS; drop += 1) chars -= this.#sizes[drop] ?? chars;
    this.#kept = kept.slice(drop);
    this.#sizes = this.#sizes.slice(drop);
  }

  /** Waits for the next change; whoever holds the feed looks whether a notice was lost. */
  async #change(signal: AbortSignal): Promise<void> {
    const watch = new JobWatch();
    this.#waiting.add(watch);
    await watch.next(Infinity, signal);
    this.#waiting.delete(watch);
  }
}
