import type { EventPage } from "#queue/events";
import type { JobEvent } from "#shared/contracts";
import { JobWatch } from "./job-watch.ts";

/** The newest events are cached for readers that keep up. Slower readers read their pages from the database. */
const CACHED_EVENTS = 500;
const CACHED_CHARS = 200_000;

/** The newest events of one job, shared by its readers. */
export class JobFeed {
  /** The owner of the feed counts its readers here. */
  readers = 0;
  readonly #read: (after: number) => Promise<EventPage>;
  #cached: JobEvent[] = [];
  #sizes: number[] = [];
  #head: number;
  #isClosed = false;
  #failure: Error | undefined;
  #isStale = false;
  #isReading = false;
  readonly #waiting = new Set<JobWatch>();

  /** @param head the number of the event after which the feed reads. @param read reads the page after an event. */
  constructor(head: number, read: (after: number) => Promise<EventPage>) {
    this.#head = head;
    this.#read = read;
  }

  /** True when the log is closed or could not be read. */
  get isOver(): boolean {
    return this.#isClosed || this.#failure !== undefined;
  }

  /** The number of the newest known event. */
  get head(): number {
    return this.#head;
  }

  /** Ends the feed with an error for its readers, which may follow again. */
  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error("the log could not be read", { cause: error });
    for (const watch of this.#waiting) watch.hear();
  }

  /** Reads new events; a call during a read makes the feed read once more. */
  refresh(): void {
    this.#isStale = true;
    if (!this.#isReading) void this.#catchUp();
  }

  /**
   * Returns the events after a number; waits until there are some, the log is closed or `signal` aborts.
   * @throws DatabaseUnavailableError when the database is away.
   */
  async next(after: number, signal: AbortSignal): Promise<EventPage> {
    while (!signal.aborted) {
      if (this.#failure !== undefined) throw this.#failure;
      const oldest = this.#cached[0]?.seq ?? Infinity;
      if (after < this.#head) {
        // A reader that fell behind the cache takes its page from the database.
        if (oldest > after + 1) return this.#read(after);
        return { events: this.#cached.slice(after + 1 - oldest), closed: this.#isClosed };
      }
      if (this.#isClosed) return { events: [], closed: true };
      await this.#change(signal);
    }
    return { events: [], closed: false };
  }

  async #catchUp(): Promise<void> {
    this.#isReading = true;
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      try {
        const { events, closed } = await this.#read(this.#head);
        this.#cache(events);
        this.#head = events.at(-1)?.seq ?? this.#head;
        this.#isClosed = closed;
        // A page with events may have been full.
        if (events.length > 0) this.#isStale = true;
      } catch (error) {
        this.fail(error);
      }
      for (const watch of this.#waiting) watch.hear();
    }
    this.#isReading = false;
  }

  #cache(events: readonly JobEvent[]): void {
    const cached = [...this.#cached, ...events].slice(-CACHED_EVENTS);
    this.#sizes.push(...events.map(({ data }) => JSON.stringify(data).length));
    this.#sizes = this.#sizes.slice(-CACHED_EVENTS);
    let chars = this.#sizes.reduce((sum, size) => sum + size, 0);
    let drop = 0;
    for (; chars > CACHED_CHARS; drop += 1) chars -= this.#sizes[drop] ?? chars;
    this.#cached = cached.slice(drop);
    this.#sizes = this.#sizes.slice(drop);
  }

  /** Waits for the next change without a time limit: the owner of the feed polls for lost notices. */
  async #change(signal: AbortSignal): Promise<void> {
    const watch = new JobWatch();
    this.#waiting.add(watch);
    await watch.next(Infinity, signal);
    this.#waiting.delete(watch);
  }
}
