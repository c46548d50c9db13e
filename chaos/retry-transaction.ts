import { DatabaseUnavailableError } from "#queue";
import type { Database, Tx } from "#queue";
import { setTimeout as wait } from "node:timers/promises";

/** The API's only owner, and the owner of all jobs. */
export const OWNER_ID = "local";

/** Retries a transaction while the database is unavailable. Every verb is safe to repeat. */
export async function retryTransaction<T>(db: Database, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await db.transaction(work);
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      await wait(100);
    }
  }
}
