import { setTimeout as wait } from "node:timers/promises";
import { DatabaseUnavailableError } from "#queue";

const RESEND_MS = 500;

/**
 * Sends a write of an attempt until the database takes it or the lease cannot hold any longer; sending again is safe,
 * for the fence lets it in once.
 */
export async function persist<T>(work: () => Promise<T>, leaseMs: number): Promise<T> {
  const lastTry = performance.now() + leaseMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError) || performance.now() > lastTry) throw error;
      await wait(RESEND_MS);
    }
  }
}
