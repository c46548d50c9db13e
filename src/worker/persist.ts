import { setTimeout as wait } from "node:timers/promises";
import { DatabaseUnavailableError, LeaseLostError } from "#queue";
import type { RunStop } from "./run-stop.ts";

const RESEND_MS = 500;

/** Sends work of an attempt to the database again for as long as the attempt may still own its job. */
export type Persist = <T>(work: () => Promise<T>) => Promise<T>;

export interface PersistOptions {
  /** Told when the lease is lost: nothing is sent again then. */
  stop: RunStop;
  /** Aborted when the worker has waited long enough for its runs; work is sent for one more lease then. */
  leaving: AbortSignal;
  leaseMs: number;
}

/**
 * Sends work to the database until it is taken. Sending again is safe, for the fence lets a write in once. An outage may
 * last longer than the lease: a heartbeat renews it afterwards, unless the job was taken back.
 * @throws LeaseLostError when the attempt no longer owns its job; DatabaseUnavailableError when the worker leaves.
 */
export function persist<T>(work: () => Promise<T>, options: PersistOptions): Promise<T> {
  const startedAt = performance.now();
  return work().catch((error: unknown) => sendAgain(work, { error, startedAt, options }));
}

async function sendAgain<T>(
  work: () => Promise<T>,
  { error: first, startedAt, options }: { error: unknown; startedAt: number; options: PersistOptions },
): Promise<T> {
  const { stop, leaving, leaseMs } = options;
  let error = first;
  for (;;) {
    if (!(error instanceof DatabaseUnavailableError)) throw error;
    if (stop.reason instanceof LeaseLostError) throw stop.reason;
    if (leaving.aborted && performance.now() - startedAt > leaseMs) throw error;
    await wait(RESEND_MS * (0.5 + Math.random() / 2));
    try {
      return await work();
    } catch (again) {
      error = again;
    }
  }
}
