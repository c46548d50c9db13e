import { readEvents, readNotice } from "#queue";
import type { Database, EventPage } from "#queue";
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

/**
 * The event logs that are being followed. However many readers a job has, a notice costs one query; a slow reader
 * holds nothing back and fills no buffer, for it asks for its next page when it is ready.
 */
export class JobFeeds {
  readonly #db: Database;
  readonly #feeds = new Map<string, JobFeed>();
  readonly #watches = new Map<string, Set<JobWatch>>();
  #readers = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** How many follow a log at the moment. */
  get readers(): number {
    return this.#readers;
  }

  /** Passes on a payload of `EVENTS_CHANNEL`; without one, any log may have grown and any status changed. */
  hear(payload?: string): void {
    if (payload === undefined) {
      for (const feed of this.#feeds.values()) feed.refresh();
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
   * The first page for `follow`, so that a job that is not there is told of before a stream has begun.
   * @throws JobNotFoundError when the owner has no such job; DatabaseUnavailableError when the database is away.
   */
  async open({ ownerId, jobId, after }: Omit<FollowOptions, "signal">): Promise<EventPage> {
    return this.#db.call(async (sql) => readEvents(sql, { ownerId, jobId }, { after, limit: PAGE_EVENTS }));
  }

  /**
   * A job's events after a number, each once and in order, to the closing one; waits for those to come.
   * @throws JobNotFoundError when the owner has no such job; DatabaseUnavailableError: follow again from the last number.
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
    // What was written between the page and now was notified to nobody.
    feed.refresh();
    return feed;
  }

  #leave(jobId: string, feed: JobFeed): void {
    feed.readers -= 1;
    if (feed.readers === 0 && this.#feeds.get(jobId) === feed) this.#feeds.delete(jobId);
  }
}
