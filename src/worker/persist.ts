import { setTimeout as wait } from "node:timers/promises";
import { DatabaseUnavailableError } from "#queue";

const RESEND_MS = 500;

/**
 * Sends a write of an attempt until the database takes it or the lease cannot hold any longer; sending again is safe,
 * for the fence lets it in once.
 */
export function persist<T>(work: () => Promise<T>, leaseMs: number): Promise<T> {
  const lastTry = performance.now() + leaseMs;
  return work().catch((error: unknown) => sendAgain(work, { error, lastTry }));
}

async function sendAgain<T>(work: () => Promise<T>, first: { error: unknown; lastTry: number }): Promise<T> {
  let { error } = first;
  for (;;) {
    if (!(error instanceof DatabaseUnavailableError) || performance.now() > first.lastTry) throw error;
    await wait(RESEND_MS);
    try {
      return await work();
    } catch (again) {
      error = again;
    }
  }
}
