import type { SystemName } from "../benchmark.ts";

/** The fastest documented settings, one statement for each job, or the defaults. */
export type Mode = "fast" | "single" | "default";

export interface WorkOptions {
  mode: Mode;
  /** The number of jobs that may run at once. */
  inFlight: number;
  /** Called at the start of each run with the job's payload. */
  onRun: (payload: unknown) => void;
}

/** Threadmill or a peer, as the benchmarks drive it. All jobs have one type, whose handler does nothing. */
export interface System {
  /** Stores jobs in the quickest way. */
  fill: (count: number) => Promise<void>;
  /** Stores one job as an application does. */
  enqueue: (payload: object) => Promise<void>;
  /** Stores jobs with one call of the system's bulk API. */
  enqueueMany: (count: number) => Promise<void>;
  /** Runs jobs; resolves with a function that stops the workers, once they have started. */
  work: (options: WorkOptions) => Promise<() => Promise<void>>;
  /** True while a job has not ended. */
  isBusy: () => Promise<boolean>;
  close: () => Promise<void>;
}

/** Opens a system on a database that has its tables. */
export async function openSystem(name: SystemName, url: string): Promise<System> {
  // Dynamic imports: a process loads only its own system.
  if (name === "threadmill") return (await import("./threadmill.ts")).openThreadmill(url);
  if (name === "graphile") return (await import("./graphile.ts")).openGraphile(url);
  return (await import("./pg-boss.ts")).openPgBoss(url);
}
