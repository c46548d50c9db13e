import { DatabaseUnavailableError, LeaseLostError } from "#queue";
import { heartbeat } from "#queue/fleet";
import { setTimeout as wait } from "node:timers/promises";
import type { AttemptRun } from "./attempt-run.ts";

const RESEND_MS = 500;

/** Calls the database through `work`, again while the database is away, for as long as the attempt may own its job. */
export type Persist = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Calls `work`, and calls it again while the database is away. Sending a write twice is safe: the fence admits it once. A
 * write that finds its lease expired, as after an outage, first renews it, unless a reaper took the job. An error of a
 * database that answers, such as a query timeout, is retried for one lease.
 * @throws LeaseLostError when the attempt no longer owns its job; DatabaseUnavailableError when a retry is useless.
 */
export function persist<T>(run: AttemptRun, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  return work().catch((error: unknown) => sendAgain(work, { error, startedAt, run }));
}

interface Sending {
  error: unknown;
  startedAt: number;
  run: AttemptRun;
}

async function sendAgain<T>(work: () => Promise<T>, sending: Sending): Promise<T> {
  const { run } = sending;
  let { error } = sending;
  let isRenewed = false;
  run.resendingCount += 1;
  try {
    for (;;) {
      if (run.stopReason instanceof LeaseLostError) throw run.stopReason;
      if (error instanceof LeaseLostError && !isRenewed) isRenewed = await renewLease(run);
      else if (error instanceof DatabaseUnavailableError && isWorthwhile(error, sending)) {
        isRenewed = false;
        await wait(RESEND_MS * (0.5 + Math.random() / 2));
      } else throw error;
      if (error instanceof LeaseLostError && !isRenewed) throw error;
      try {
        return await work();
      } catch (again) {
        error = again;
      }
    }
  } finally {
    run.resendingCount -= 1;
  }
}

/** Renews the lease as a heartbeat does; false when a reaper took the job. True also when the database does not answer. */
async function renewLease({ job, environment: { db, leaseMs } }: AttemptRun): Promise<boolean> {
  const renewed = await db.call((sql) => heartbeat(sql, [job], leaseMs)).catch(() => null);
  return renewed === null || renewed.kept.size > 0;
}

function isWorthwhile(error: DatabaseUnavailableError, { startedAt, run: { environment } }: Sending): boolean {
  const isLong = performance.now() - startedAt > environment.leaseMs;
  return !isLong || (error.isAbsence && !environment.leaving.aborted);
}
