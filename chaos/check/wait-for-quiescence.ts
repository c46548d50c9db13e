import type { Database } from "#queue";
import { setTimeout as wait } from "node:timers/promises";
import { retryTransaction } from "../retry-transaction.ts";

export const STALL_LIMIT_MS = 30_000;

/** Waits until every job has ended. Returns the number of unfinished jobs when none has ended for `STALL_LIMIT_MS`. */
export async function waitForQuiescence(db: Database): Promise<number> {
  let before = Infinity;
  for (let since = performance.now(); performance.now() - since < STALL_LIMIT_MS; await wait(200)) {
    const [row] = await retryTransaction(
      db,
      async (tx) =>
        tx<{ left: number }[]>`select count(*)::int as left from jobs where status in ('queued', 'running', 'waiting')`,
    );
    const left = row?.left ?? 0;
    if (left === 0) return 0;
    if (left < before) since = performance.now();
    before = left;
  }
  return before;
}
