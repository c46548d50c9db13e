import type { SystemName } from "../benchmark.ts";

/** A system's fastest documented settings, those with one statement for each job, or those it comes with. */
export type Mode = "fast" | "single" | "default";

export interface WorkOptions {
  mode: Mode;
  /** How many jobs may run at once. */
  inFlight: number;
  /** Called at the start of each run with the job's payload. */
  onRun: (payload: unknown) => void;
}

/** Threadmill or a peer, with what the benchmarks do to it. All jobs are of one type, whose handler does nothing. */
export interface System {
  /** Stores jobs by whatever way is quick. */
  fill: (count: number) => Promise<void>;
  /** Stores one job as an application does. */
  enqueue: (payload: object) => Promise<void>;
  /** Stores jobs with the system's own call for many, all at once. */
  enqueueMany: (count: number) => Promise<void>;
  /** Runs jobs; resolves, when its workers have started, with what stops them. */
  work: (options: WorkOptions) => Promise<() => Promise<void>>;
  /** Whether any job has not ended. */
  busy: () => Promise<boolean>;
  close: () => Promise<void>;
}

/** Opens a system on a database that has its tables. */
export async function openSystem(name: SystemName, url: string): Promise<System> {
  // Each is loaded where it is used, so that no process carries the others.
  if (name === "threadmill") return (await import("./threadmill.ts")).openThreadmill(url);
  if (name === "graphile") return (await import("./graphile.ts")).openGraphile(url);
  return (await import("./pg-boss.ts")).openPgBoss(url);
}
