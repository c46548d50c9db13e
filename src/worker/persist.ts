import { setTimeout as wait } from "node:timers/promises";
import { DatabaseUnavailableError, heartbeat, LeaseLostError } from "#queue";
import type { Run, RunEnvironment } from "./run-job.ts";

const RESEND_MS = 500;

/** Sends work of an attempt to the database again for as long as the attempt may still own its job. */
export type Persist = <T>(work: () => Promise<T>) => Promise<T>;

type Owner = Pick<Run, "job" | "stop">;
type Means = Pick<RunEnvironment, "db" | "leaseMs" | "leaving">;

/**
 * What sends the work of a run. Sending again is safe, for the fence lets a write in once. An outage of the database may
 * last longer than the lease, so that work which comes before the next heartbeat is refused: then the lease is renewed
 * here, unless the job was taken back.
 * @throws LeaseLostError when the attempt no longer owns its job; DatabaseUnavailableError when the worker leaves and the
 * database has been away for a lease.
 */
export function persistFor(run: Owner, means: Means): Persist {
  return (work) => {
    const startedAt = performance.now();
    return work().catch((error: unknown) => sendAgain(work, { error, startedAt, run, means }));
  };
}

interface Sending {
  error: unknown;
  startedAt: number;
  run: Owner;
  means: Means;
}

async function sendAgain<T>(work: () => Promise<T>, { error: first, startedAt, run, means }: Sending): Promise<T> {
  let error = first;
  let isRenewed = false;
  for (;;) {
    try {
      if (error instanceof LeaseLostError && !isRenewed) {
        isRenewed = await renew(run, means);
        if (!isRenewed) throw error;
      } else if (error instanceof DatabaseUnavailableError) {
        if (run.stop.reason instanceof LeaseLostError) throw run.stop.reason;
        if (means.leaving.aborted && performance.now() - startedAt > means.leaseMs) throw error;
        await wait(RESEND_MS * (0.5 + Math.random() / 2));
      } else throw error;
      return await work();
    } catch (again) {
      if (again === error || again === run.stop.reason) throw again;
      error = again;
    }
  }
}

/** Renews the lease of a run as its heartbeat does; false when the job was taken back. */
async function renew({ job }: Owner, { db, leaseMs }: Means): Promise<boolean> {
  const { kept } = await db.call((sql) => heartbeat(sql, [job], leaseMs));
  return kept.size > 0;
}
