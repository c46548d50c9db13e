import type { Database } from "#queue";
import { countJobs } from "#queue/read";
import type { JobCounts } from "#shared/contracts";

/** A count is cached for this many times the duration of its query, so counting takes at most 1/21 of the time. */
const CACHE_FACTOR = 20;

interface CachedCount {
  counts: Promise<JobCounts>;
  /** `Infinity` while the query runs. */
  validUntilMs: number;
}

/** Counts an owner's jobs. Concurrent callers share one query, and a large table is counted less often. */
export class JobCounter {
  readonly #db: Database;
  readonly #cache = new Map<string, CachedCount>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Returns the number of the owner's jobs in each state; the numbers may be slightly out of date. */
  async count(ownerId: string): Promise<JobCounts> {
    const cached = this.#cache.get(ownerId);
    if (cached && performance.now() < cached.validUntilMs) return cached.counts;
    const startedMs = performance.now();
    const counted: CachedCount = {
      counts: this.#db.read(async (sql) => countJobs(sql, ownerId)),
      validUntilMs: Infinity,
    };
    this.#cache.set(ownerId, counted);
    try {
      const counts = await counted.counts;
      const endedMs = performance.now();
      counted.validUntilMs = endedMs + (endedMs - startedMs) * CACHE_FACTOR;
      return counts;
    } catch (error) {
      // The next caller tries again.
      this.#cache.delete(ownerId);
      throw error;
    }
  }
}
