import { readEvents } from "#queue";
import type { Database, EventPage } from "#queue";
import type { JobEvent } from "#shared/contracts";
import { JobFeed } from "./job-feed.ts";

/** What a reader that is slow may hold in memory. */
const PAGE_EVENTS = 100;

export interface FollowOptions {
  ownerId: string;
  jobId: string;
  /** The number of the last event that the reader has; 0 for all. */
  after: number;
  /** Ends the reading. */
  signal: AbortSignal;
}

/**
 * The event logs that are being followed. However many readers a job has, a notice costs one query; a slow reader
 * holds nothing back and fills no buffer, for it asks for its next page when it is ready.
 */
export class JobFeeds {
  readonly #db: Database;
  readonly #feeds = new Map<string, JobFeed>();
  #readers = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** How many follow a log at the moment. */
  get readers(): number {
    return this.#readers;
  }

  /** Tells the readers of a job that its log has grown; without an id, that any may have. */
  hear(jobId?: string): void {
    if (jobId === undefined) for (const feed of this.#feeds.values()) feed.refresh();
    else this.#feeds.get(jobId)?.refresh();
  }

  /**
   * A job's events after a number, each once and in order, to the closing one; waits for those to come.
   * @throws JobNotFoundError when the owner has no such job; DatabaseUnavailableError: follow again from the last number.
   */
  async *follow({ ownerId, jobId, after, signal }: FollowOptions): AsyncGenerator<JobEvent, void> {
    const read = async (from: number): Promise<EventPage> =>
      this.#db.call(async (sql) => readEvents(sql, { ownerId, jobId }, { after: from, limit: PAGE_EVENTS }));
    let last = after;
    let feed: JobFeed | undefined;
    this.#readers += 1;
    try {
      // The first page comes from the database, which also says whether the job is the owner's.
      for (let page = await read(last); ; page = await feed.next(last, signal)) {
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
