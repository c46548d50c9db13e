import type { Database } from "#queue";
import { setTimeout as wait } from "node:timers/promises";
import { insist } from "../retry-transaction.ts";

export const STALL_LIMIT_MS = 30_000;

/** Waits until healthy workers have brought every job to its end; answers how many are left once none has ended for long. */
export async function quiesce(db: Database): Promise<number> {
  let before = Infinity;
  for (let since = performance.now(); performance.now() - since < STALL_LIMIT_MS; await wait(200)) {
    const [row] = await insist(
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
