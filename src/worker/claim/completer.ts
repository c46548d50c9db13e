import { DatabaseUnavailableError } from "#queue";
import type { Claim, Database } from "#queue";
import { complete, completeMany } from "#queue/settle";
import { setImmediate as nextTurn } from "node:timers/promises";
import { faultPoint } from "#fault";
import type { Claimer } from "./claimer.ts";

interface Pending {
  claim: Claim;
  result: unknown;
  resolve: () => void;
  reject: (error: unknown) => void;
}

const MAX_BATCH = 500;

/**
 * Completes jobs without effects in batches: jobs that end while a statement is in flight share the next one. With a
 * claimer, the statement of a small batch also claims the next jobs.
 */
export class Completer {
  readonly #db: Database;
  readonly #claimer: Claimer | undefined;
  readonly #pending: Pending[] = [];
  #isWriting = false;

  constructor(db: Database, claimer?: Claimer) {
    this.#db = db;
    this.#claimer = claimer;
  }

  /** True when completions wait to be sent. */
  get isDue(): boolean {
    return this.#pending.length > 0;
  }

  /**
   * Resolves when the job's completion has committed.
   * @throws LeaseLostError when the attempt no longer owns the job; InvalidJobError when the result cannot be stored;
   * DatabaseUnavailableError when the answer is unknown: call again.
   */
  complete({ claim, result }: Pick<Pending, "claim" | "result">): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ claim, result, resolve, reject });
      if (this.#isWriting) return;
      this.#isWriting = true;
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    // Jobs that end in the same turn of the event loop share the first statement.
    await nextTurn();
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, MAX_BATCH);
      try {
        faultPoint("before completing many");
        const sent = this.#claimer?.completeAndClaim(batch) ?? this.#db.call((sql) => completeMany(sql, batch));
        const left = new Set(await sent);
        faultPoint("completed many");
        for (const one of batch) if (!left.has(one)) one.resolve();
        for (const one of left) void this.#completeAlone(one);
      } catch (error) {
        // An absent database fails the whole batch. Any other error may be the fault of one job: the others must complete.
        const isShared = error instanceof DatabaseUnavailableError || batch.length === 1;
        for (const one of batch) {
          if (isShared) one.reject(error);
          else void this.#completeAlone(one);
        }
      }
      // First the completed attempts free their slots, so that the next statement can claim as many jobs.
      await nextTurn();
    }
    this.#isWriting = false;
  }

  async #completeAlone({ claim, result, resolve, reject }: Pending): Promise<void> {
    await this.#db.transaction(async (tx) => complete(tx, claim, { result })).then(resolve, reject);
  }
}
