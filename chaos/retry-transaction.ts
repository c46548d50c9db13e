import { DatabaseUnavailableError } from "#queue";
import type { Database, Tx } from "#queue";
import { setTimeout as wait } from "node:timers/promises";

/** Whose jobs all of them are: the API's only owner. */
export const OWNER_ID = "local";

/** Sends a transaction until it has an answer: every verb is safe to send again. */
export async function insist<T>(db: Database, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await db.transaction(work);
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      await wait(100);
    }
  }
}
