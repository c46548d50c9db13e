import type { Database } from "#queue";
import { countJobs } from "#queue/read";
import type { JobCounts } from "#shared/contracts";

/** A count may be as old as this many times what it took to make, so that counting never takes more than its share. */
const AGE_PER_COST = 20;

interface Counted {
  counts: Promise<JobCounts>;
  /** Until when it is given out again; Infinity while it is being made. */
  validUntilMs: number;
}

/** Counts an owner's jobs for however many ask at once; in a table of millions less often than in a small one. */
export class JobCounter {
  readonly #db: Database;
  readonly #counted = new Map<string, Counted>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** How many of the owner's jobs are in each state, as of a moment ago. */
  async count(ownerId: string): Promise<JobCounts> {
    const known = this.#counted.get(ownerId);
    if (known && performance.now() < known.validUntilMs) return known.counts;
    const startedMs = performance.now();
    const counted: Counted = {
      counts: this.#db.read(async (sql) => countJobs(sql, ownerId)),
      validUntilMs: Infinity,
    };
    this.#counted.set(ownerId, counted);
    try {
      const counts = await counted.counts;
      const endedMs = performance.now();
      counted.validUntilMs = endedMs + (endedMs - startedMs) * AGE_PER_COST;
      return counts;
    } catch (error) {
      // A count that failed says nothing of the next.
      this.#counted.delete(ownerId);
      throw error;
    }
  }
}
