import { getTurnStatuses } from "#conversation";
import { NotFoundError, QueryTimeoutError, Semaphore } from "#queue";
import type { Database, JobKey } from "#queue";
import { listJobs } from "#queue/read";
import type { JobList, JobListInput, JobStatusView } from "#shared/contracts";
import { gather } from "./gather.ts";
import type { Gathered } from "./gather.ts";

/** A search reads the whole of a table: one more at a time would only slow down the others, and submits with them. */
const SEARCHES_AT_A_TIME = 2;
const SEARCH_WAIT_MS = 1_000;

/** One owner's list, as far as it is not the default. */
export type ListQuery = JobListInput & { ownerId: string };

interface SharedList {
  list: Gathered<ListQuery, JobList>;
  /** How many wait for it. */
  asked: number;
}

/** The reads that pages and waiting callers repeat, shared by those that ask at the same time; never across owners. */
export class JobReads {
  readonly #slowReads: Database;
  readonly #searches = new Semaphore(SEARCHES_AT_A_TIME, "searches");
  readonly #statuses: Gathered<JobKey, JobStatusView>;
  /** By what is asked for, so that a search through everything holds up nobody who asks for something else. */
  readonly #lists = new Map<string, SharedList>();

  constructor({ db, slowReads }: { db: Database; slowReads: Database }) {
    this.#slowReads = slowReads;
    this.#statuses = gather<JobKey, JobStatusView>({
      keyOf: ({ ownerId, jobId }) => `${jobId} ${ownerId}`,
      read: async (keys) => {
        const found = await db.call(async (sql) => getTurnStatuses(sql, keys));
        return found.map((status, index) => status ?? new NotFoundError("Job", keys[index]?.jobId ?? ""));
      },
    });
  }

  /**
   * Where one of the owner's jobs stands, with its reply once it has completed. It is shared: change nothing in it.
   * @throws NotFoundError when the owner has no such job.
   */
  async status(key: JobKey): Promise<JobStatusView> {
    return this.#statuses.load(key);
  }

  /** The owner's jobs that match, newest first, a page at a time. It is shared: change nothing in it. */
  async list(query: ListQuery): Promise<JobList> {
    const { ownerId, status, jobType, queue, search, cursor, limit } = query;
    const key = JSON.stringify([ownerId, status, jobType, queue, search, cursor, limit]);
    const shared = this.#lists.get(key) ?? this.#open(key);
    shared.asked += 1;
    try {
      return await shared.list.load(query);
    } finally {
      shared.asked -= 1;
      if (shared.asked === 0) this.#lists.delete(key);
    }
  }

  async #read(query: ListQuery): Promise<JobList> {
    const read = async () => this.#slowReads.read(async (sql) => listJobs(sql, query));
    if (!query.search) return read();
    return this.#searches.run(async () => {
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof QueryTimeoutError)) throw error;
        throw new QueryTimeoutError("The search took too long and was stopped: narrow it by status, type or queue", {
          cause: error,
        });
      }
    }, SEARCH_WAIT_MS);
  }

  #open(key: string): SharedList {
    const shared = {
      list: gather({
        keyOf: () => key,
        read: async (queries: readonly ListQuery[]) => Promise.all(queries.map(async (query) => this.#read(query))),
      }),
      asked: 0,
    };
    this.#lists.set(key, shared);
    return shared;
  }
}
