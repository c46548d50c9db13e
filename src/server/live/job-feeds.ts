import type { Database } from "#queue";
import { readEvents, readLogHeads, readNotice } from "#queue/events";
import type { EventPage } from "#queue/events";
import type { JobEvent } from "#shared/contracts";
import { JobFeed } from "./job-feed.ts";
import { JobWatch } from "./job-watch.ts";

/** What a reader that is slow may hold in memory. */
const PAGE_EVENTS = 100;

export interface FollowOptions {
  ownerId: string;
  jobId: string;
  /** The number of the last event that the reader has; 0 for all. */
  after: number;
  /** Ends the reading. */
  signal: AbortSignal;
  /** The page after `after`, where `open` has read it already. */
  first?: EventPage;
}

/** How often all followed logs are looked at: a notice can be lost, and behind some poolers there are none. */
const LOOK_MS = 3_000;

/**
 * The event logs that are being followed. However many readers a job has, a notice costs one query; readers of logs that
 * do not grow share one statement every 3 s. A slow reader holds nothing back and fills no buffer, for it asks for its
 * next page when it is ready.
 */
export class JobFeeds {
  readonly #db: Database;
  readonly #feeds = new Map<string, JobFeed>();
  readonly #watches = new Map<string, Set<JobWatch>>();
  readonly #lookMs: number;
  #readers = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #lookAgain = false;

  constructor(db: Database, { lookMs = LOOK_MS } = {}) {
    this.#db = db;
    this.#lookMs = lookMs;
  }

  /** How many follow a log at the moment. */
  get readers(): number {
    return this.#readers;
  }

  /** Passes on a payload of `EVENTS_CHANNEL`; without one, any log may have grown and any status changed. */
  hear(payload?: string): void {
    if (payload === undefined) {
      void this.#look();
      for (const watches of this.#watches.values()) for (const watch of watches) watch.hear();
      return;
    }
    const { jobId, changed } = readNotice(payload);
    this.#feeds.get(jobId)?.refresh();
    if (changed) for (const watch of this.#watches.get(jobId) ?? []) watch.hear();
  }

  /** Hears of a job's changes of status from now on, until `leave` is called. */
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
   * The first page for `follow`: an unknown job is reported before a stream begins.
   * @throws NotFoundError when the owner has no such job; DatabaseUnavailableError when the database is away.
   */
  async open({ ownerId, jobId, after }: Omit<FollowOptions, "signal">): Promise<EventPage> {
    return this.#db.call(async (sql) => readEvents(sql, { ownerId, jobId }, { after, limit: PAGE_EVENTS }));
  }

  /**
   * A job's events after a number, each once and in order, to the closing one; waits for those to come.
   * @throws NotFoundError when the owner has no such job; DatabaseUnavailableError: follow again from the last number.
   */
  async *follow({ ownerId, jobId, after, signal, first }: FollowOptions): AsyncGenerator<JobEvent, void> {
    const read = async (from: number): Promise<EventPage> => this.open({ ownerId, jobId, after: from });
    let last = after;
    let feed: JobFeed | undefined;
    this.#readers += 1;
    try {
      // The first page comes from the database, which also says whether the job is the owner's.
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
    // One that is over is the log as it was: a job that was queued again gets a new one.
    const feed = known && !known.over ? known : new JobFeed(last, read);
    feed.readers += 1;
    this.#feeds.set(jobId, feed);
    this.#timer ??= setInterval(() => void this.#look(), this.#lookMs);
    // What was written between the page and now was notified to nobody.
    feed.refresh();
    return feed;
  }

  #leave(jobId: string, feed: JobFeed): void {
    feed.readers -= 1;
    if (feed.readers === 0 && this.#feeds.get(jobId) === feed) this.#feeds.delete(jobId);
    if (this.#feeds.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks in one statement which of the followed logs have grown, and reads those. */
  async #look(): Promise<void> {
    this.#lookAgain = this.#looking;
    if (this.#looking) return;
    this.#looking = true;
    do {
      this.#lookAgain = false;
      const followed = [...this.#feeds].filter(([, feed]) => !feed.over);
      if (followed.length > 0) await this.#refreshGrown(followed);
    } while (this.#lookAgain);
    this.#looking = false;
  }

  async #refreshGrown(followed: readonly [jobId: string, feed: JobFeed][]): Promise<void> {
    try {
      const heads = await this.#db.call(async (sql) =>
        readLogHeads(
          sql,
          followed.map(([jobId]) => jobId),
        ),
      );
      // A job that is gone is read as well: its readers get to know.
      for (const [jobId, feed] of followed) if (heads.get(jobId) !== feed.head) feed.refresh();
    } catch (error) {
      for (const [, feed] of followed) feed.fail(error);
    }
  }
}
