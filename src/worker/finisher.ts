import { faultPoint } from "#fault";
import { complete, completeMany, DatabaseUnavailableError } from "#queue";
import type { Claim, Database } from "#queue";

interface Waiting {
  claim: Claim;
  result: unknown;
  resolve: () => void;
  reject: (error: unknown) => void;
}

const MOST = 500;

/** Completes jobs without effects together: while one statement is under way, those that end meanwhile share the next. */
export class Finisher {
  readonly #db: Database;
  readonly #waiting: Waiting[] = [];
  #writing = false;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Resolves when the job's completion has committed.
   * @throws LeaseLostError when the attempt no longer owns the job; InvalidJobError when the result cannot be stored;
   * DatabaseUnavailableError: send it again.
   */
  async finish({ claim, result }: Pick<Waiting, "claim" | "result">): Promise<void> {
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
        const left = new Set(await this.#db.call((sql) => completeMany(sql, batch)));
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

  async #finishAlone({ claim, result, resolve, reject }: Waiting): Promise<void> {
    await this.#db.transaction(async (tx) => complete(tx, claim, result)).then(resolve, reject);
  }
}
