import { DatabaseUnavailableError } from "#queue";
import type { Claim, Database } from "#queue";
import { completeAndClaim } from "#queue/claim";
import type { Claimed } from "#queue/claim";
import { complete, completeMany } from "#queue/settle";
import { faultPoint } from "#fault";

/** What is claimed along with completions. */
export type ClaimAlong = Parameters<typeof completeAndClaim>[2];

/** Who wants jobs in place of those that are completed. */
export interface Successor {
  /** What it claims over. */
  db: Database;
  /** What to claim in the statement that completes so many jobs; undefined where the claim is to be one of its own. */
  reserve: (completions: number) => ClaimAlong | undefined;
  /** What was claimed by a statement that was sent at a time, in milliseconds since 1970. */
  take: (claimed: Claimed, asked: { along: ClaimAlong; sentMs: number }) => void;
  /** Nothing was claimed, as far as one can know. */
  fail: (along: ClaimAlong) => void;
}

interface Waiting {
  claim: Claim;
  result: unknown;
  resolve: () => void;
  reject: (error: unknown) => void;
}

const MOST = 500;

/**
 * Completes jobs without effects together: while one statement is under way, those that end meanwhile share the next.
 * Where they are few, the statement claims those that come after them as well.
 */
export class Finisher {
  readonly #db: Database;
  readonly #successor: Successor | undefined;
  readonly #waiting: Waiting[] = [];
  #writing = false;

  constructor(db: Database, successor?: Successor) {
    this.#db = db;
    this.#successor = successor;
  }

  /** Whether completions are about to be sent, in this turn of the event loop or the next. */
  get isDue(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Resolves when the job's completion has committed.
   * @throws LeaseLostError when the attempt no longer owns the job; InvalidJobError when the result cannot be stored;
   * DatabaseUnavailableError: send it again.
   */
  finish({ claim, result }: Pick<Waiting, "claim" | "result">): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ claim, result, resolve, reject });
      if (this.#writing) return;
      this.#writing = true;
      // Those that end in the same turn of the event loop share the first statement as well.
      setImmediate(() => void this.#write());
    });
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MOST);
      try {
        faultPoint("before completing many");
        const left = new Set(await this.#complete(batch));
        faultPoint("completed many");
        for (const one of batch) if (!left.has(one)) one.resolve();
        for (const one of left) void this.#finishAlone(one);
      } catch (error) {
        // Away is away for all; else one is at fault, which must not take the others with it.
        const away = error instanceof DatabaseUnavailableError || batch.length === 1;
        for (const one of batch) if (away) one.reject(error);
        if (!away) for (const one of batch) void this.#finishAlone(one);
      }
    }
    this.#writing = false;
  }

  /** Returns those that were not completed. */
  async #complete(batch: readonly Waiting[]): Promise<Waiting[]> {
    const successor = this.#successor;
    const along = successor?.reserve(batch.length);
    if (!successor || !along) return this.#db.call((sql) => completeMany(sql, batch));
    const sentMs = Date.now();
    const { left, ...claimed } = await successor.db
      .call((sql) => completeAndClaim(sql, batch, along))
      .catch((error: unknown) => {
        successor.fail(along);
        throw error;
      });
    faultPoint("completed and claimed");
    successor.take(claimed, { along, sentMs });
    return left;
  }

  async #finishAlone({ claim, result, resolve, reject }: Waiting): Promise<void> {
    await this.#db.transaction(async (tx) => complete(tx, claim, { result })).then(resolve, reject);
  }
}
