import type { Database } from "#queue";
import { readEvents, readLogHeads, readNotice } from "#queue/events";
import type { EventPage } from "#queue/events";
import type { JobEvent } from "#shared/contracts";
import { Service } from "#shared/service";
import { JobFeed } from "./job-feed.ts";
import { JobWatch } from "./job-watch.ts";

/** Events per page, and so the most that a slow reader holds in memory. */
const PAGE_EVENTS = 100;

export interface FollowOptions {
  ownerId: string;
  jobId: string;
  /** The number of the last event that the reader has; 0 for all events. */
  after: number;
  /** Ends the reading. */
  signal: AbortSignal;
  /** The page after `after`, if `open` has read it already. */
  first?: EventPage;
}

/** How often all followed logs are polled: a notice can be lost, and some poolers deliver none. */
const POLL_MS = 3_000;

/**
 * The event logs that readers follow. A notice costs one query, however many readers a job has. All readers share one
 * poll every 3 s. A slow reader delays no other and fills no buffer, because it asks for each page when it is ready.
 * Without `start` there are no polls. `stop` ends no reader: each ends by its own signal.
 */
export class JobFeeds extends Service {
  readonly #db: Database;
  readonly #feeds = new Map<string, JobFeed>();
  readonly #watches = new Map<string, Set<JobWatch>>();
  readonly #pollMs: number;
  #readers = 0;
  #timer: NodeJS.Timeout | undefined;
  #isPolling = false;
  #mustPollAgain = false;

  constructor(db: Database, { pollMs = POLL_MS } = {}) {
    super();
    this.#db = db;
    this.#pollMs = pollMs;
  }

  protected onStart(): void {
    this.#timer = setInterval(() => void this.#poll(), this.#pollMs);
  }

  protected onStop(): void {
    clearInterval(this.#timer);
  }

  /** The number of readers that currently follow a log. */
  get readers(): number {
    return this.#readers;
  }

  /** Takes a payload of `EVENTS_CHANNEL`. Without one, after a reconnect, any log and any status may have changed. */
  hear(payload?: string): void {
    if (payload === undefined) {
      void this.#poll();
      for (const watches of this.#watches.values()) for (const watch of watches) watch.hear();
      return;
    }
    const { jobId, changed } = readNotice(payload);
    this.#feeds.get(jobId)?.refresh();
    if (changed) for (const watch of this.#watches.get(jobId) ?? []) watch.hear();
  }

  /** Watches the status of a job until `leave` is called. */
  watch(jobId: string): { watch: JobWatch; leave: () => void } {
    const watch = new JobWatch();
    const watches = this.#watches.get(jobId) ?? new Set();
    this.#watches.set(jobId, watches.add(watch));
    const leave = () => {
      watches.delete(watch);
      if (watches.size === 0 && this.#watches.get(jobId) === watches) this.#watches.delete(jobId);
    };
    return { watch, leave };
  }

  /**
   * Reads the first page for `follow`, so that an unknown job is reported before a stream begins.
   * @throws NotFoundError when the owner has no such job; DatabaseUnavailableError when the database is away.
   */
  async open({ ownerId, jobId, after }: Omit<FollowOptions, "signal">): Promise<EventPage> {
    return this.#db.call(async (sql) => readEvents(sql, { ownerId, jobId }, { after, limit: PAGE_EVENTS }));
  }

  /**
   * Yields a job's events after the number `after`, each once and in order. Ends after the closing event.
   * @throws NotFoundError when the owner has no such job; DatabaseUnavailableError: follow again from the last number.
   */
  async *follow({ ownerId, jobId, after, signal, first }: FollowOptions): AsyncGenerator<JobEvent, void> {
    const read = async (from: number): Promise<EventPage> => this.open({ ownerId, jobId, after: from });
    let last = after;
    let feed: JobFeed | undefined;
    this.#readers += 1;
    try {
      // The first page comes from the database, which also checks that the owner has the job.
      for (let page = first ?? (await read(last)); ; page = await feed.next(last, signal)) {
        for (const event of page.events) {
          if (signal.aborted) return;
          yield event;
          last = event.seq;
        }
        if (page.closed || signal.aborted) return;
        feed ??= this.#join(jobId, last, read);
      }
    } finally {
      this.#readers -= 1;
      if (feed) this.#leave(jobId, feed);
    }
  }

  #join(jobId: string, last: number, read: (after: number) => Promise<EventPage>): JobFeed {
    const known = this.#feeds.get(jobId);
    // A feed that is over is not used again: the job may have been redriven since.
    const feed = known && !known.isOver ? known : new JobFeed(last, read);
    feed.readers += 1;
    this.#feeds.set(jobId, feed);
    // The feed missed the notices of events that were written since the page was read.
    feed.refresh();
    return feed;
  }

  #leave(jobId: string, feed: JobFeed): void {
    feed.readers -= 1;
    if (feed.readers === 0 && this.#feeds.get(jobId) === feed) this.#feeds.delete(jobId);
  }

  /** Finds in one statement the followed logs that have grown, and reads them. */
  async #poll(): Promise<void> {
    this.#mustPollAgain = this.#isPolling;
    if (this.#isPolling) return;
    this.#isPolling = true;
    do {
      this.#mustPollAgain = false;
      const followed = [...this.#feeds].filter(([, feed]) => !feed.isOver);
      if (followed.length > 0) await this.#refreshGrown(followed);
    } while (this.#mustPollAgain);
    this.#isPolling = false;
  }

  async #refreshGrown(followed: readonly [jobId: string, feed: JobFeed][]): Promise<void> {
    try {
      const jobIds = followed.map(([jobId]) => jobId);
      const heads = await this.#db.call(async (sql) => readLogHeads(sql, jobIds));
      // A deleted job is read as well: the read fails, which ends its readers' streams.
      for (const [jobId, feed] of followed) if (heads.get(jobId) !== feed.head) feed.refresh();
    } catch (error) {
      for (const [, feed] of followed) feed.fail(error);
    }
  }
}
