/*
 * live/ owns everything that callers watch: shared reads, job counts, event feeds and the wait for a job's end. It knows
 * no HTTP. Invariant: a caller never receives a result that was read before its own call.
 */
import { getTurnStatuses } from "#conversation";
import { NotFoundError, QueryTimeoutError, Semaphore } from "#queue";
import type { Database, JobKey } from "#queue";
import { listJobs } from "#queue/read";
import type { JobList, JobListInput, JobStatusView } from "#shared/contracts";
import { batchReads } from "./batch-reads.ts";
import type { BatchedReads } from "./batch-reads.ts";

/** A search scans a whole table. A third concurrent one would only slow down the others and the submits. */
const MAX_SEARCHES = 2;
/** After this wait for a running search to end, a search is refused. */
const SEARCH_WAIT_MS = 1_000;

type ListQuery = JobListInput & { ownerId: string };

interface SharedList {
  list: BatchedReads<ListQuery, JobList>;
  waitingCount: number;
}

/** The reads that pages and waiting callers repeat. Concurrent callers of the same owner share a statement. */
export class JobReads {
  readonly #slowReads: Database;
  readonly #searches = new Semaphore(MAX_SEARCHES, "searches");
  readonly #statuses: BatchedReads<JobKey, JobStatusView>;
  /** By query, so that a slow search delays no other query. */
  readonly #lists = new Map<string, SharedList>();

  constructor({ db, slowReads }: { db: Database; slowReads: Database }) {
    this.#slowReads = slowReads;
    this.#statuses = batchReads<JobKey, JobStatusView>({
      idOf: ({ ownerId, jobId }) => `${jobId} ${ownerId}`,
      read: async (keys) => {
        const found = await db.call(async (sql) => getTurnStatuses(sql, keys));
        return found.map((status, index) => status ?? new NotFoundError("Job", keys[index]?.jobId ?? ""));
      },
    });
  }

  /**
   * Returns the state of one of the owner's jobs; a completed job includes its reply. Callers share the object and must
   * not change it.
   * @throws NotFoundError when the owner has no such job.
   */
  async status(key: JobKey): Promise<JobStatusView> {
    return this.#statuses.load(key);
  }

  /** Returns one page of the owner's matching jobs, newest first. Callers share the object and must not change it. */
  async list(query: ListQuery): Promise<JobList> {
    const { ownerId, status, jobType, queue, search, cursor, limit } = query;
    const key = JSON.stringify([ownerId, status, jobType, queue, search, cursor, limit]);
    const shared = this.#lists.get(key) ?? this.#open(key);
    shared.waitingCount += 1;
    try {
      return await shared.list.load(query);
    } finally {
      shared.waitingCount -= 1;
      if (shared.waitingCount === 0) this.#lists.delete(key);
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
      list: batchReads({
        idOf: () => key,
        read: async (queries: readonly ListQuery[]) => Promise.all(queries.map(async (query) => this.#read(query))),
      }),
      waitingCount: 0,
    };
    this.#lists.set(key, shared);
    return shared;
  }
}
