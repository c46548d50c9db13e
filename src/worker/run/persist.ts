import { DatabaseUnavailableError, LeaseLostError } from "#queue";
import { heartbeat } from "#queue/fleet";
import { setTimeout as wait } from "node:timers/promises";
import type { LiveRun } from "./live-run.ts";
import type { Run, RunEnvironment } from "./run-job.ts";

const RESEND_MS = 500;

/** Sends work of an attempt to the database again for as long as the attempt may still own its job. */
export type Persist = <T>(work: () => Promise<T>) => Promise<T>;

type Owner = Pick<Run, "job" | "stop"> & Pick<LiveRun, "resendingCount">;
export type PersistMeans = Pick<RunEnvironment, "db" | "leaseMs" | "leaving">;

/**
 * Makes a run's `Persist`. Sending twice is safe: the fence admits a write once. A write that finds its lease expired, as
 * after an outage, renews it first, unless the job was reaped. What the database refuses although it is there, such as a
 * query that is too slow, is sent again for one lease.
 * @throws LeaseLostError when the attempt no longer owns its job; DatabaseUnavailableError when sending again is no use.
 */
export function persistFor(run: Owner, means: PersistMeans): Persist {
  return (work) => {
    const startedAt = performance.now();
    return work().catch((error: unknown) => sendAgain(work, { error, startedAt, run, means }));
  };
}

/** The same while the handler runs: once the run is told to stop, it throws why. */
export function persistUntilStopped(run: Owner, means: PersistMeans): Persist {
  const persist = persistFor(run, means);
  return (work) =>
    persist(async () => {
      if (run.stop.reason) throw run.stop.reason;
      return work();
    });
}

interface Sending {
  error: unknown;
  startedAt: number;
  run: Owner;
  means: PersistMeans;
}

async function sendAgain<T>(work: () => Promise<T>, sending: Sending): Promise<T> {
  const { run } = sending;
  let { error } = sending;
  let isRenewed = false;
  run.resendingCount += 1;
  try {
    for (;;) {
      if (run.stop.reason instanceof LeaseLostError) throw run.stop.reason;
      if (error instanceof LeaseLostError && !isRenewed) isRenewed = await isStillOurs(sending);
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

/** Renews the lease as a heartbeat does; false when the job was taken back, or that cannot be found out. */
async function isStillOurs({ run: { job }, means: { db, leaseMs } }: Sending): Promise<boolean> {
  const renewed = await db.call((sql) => heartbeat(sql, [job], leaseMs)).catch(() => null);
  return renewed === null || renewed.kept.size > 0;
}

function isWorthwhile(error: DatabaseUnavailableError, { startedAt, means }: Sending): boolean {
  const isLong = performance.now() - startedAt > means.leaseMs;
  return !isLong || (error.isAbsence && !means.leaving.aborted);
}
