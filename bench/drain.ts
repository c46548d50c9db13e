import { setTimeout as wait } from "node:timers/promises";
import { Child } from "./child.ts";
import type { BenchContext, SystemName } from "./benchmark.ts";
import { openSystem } from "./systems/system.ts";
import type { Mode, System } from "./systems/system.ts";

const POLL_MS = 2;
const DEADLINE_MS = 300_000;

export interface DrainOptions {
  system: SystemName;
  mode: Mode;
  jobs: number;
  inFlight: number;
  /** Worker processes; one unless given. */
  processes?: number;
  /** Stores the jobs; the system's bulk call unless given. */
  fill?: (system: System, url: string) => Promise<void>;
}

/**
 * Jobs a second of worker processes that empty a queue: from the start of the first run until every job has ended in the
 * database. The jobs are stored before the workers start.
 */
export async function drain(context: BenchContext, options: DrainOptions): Promise<number> {
  const { url, drop } = await context.createDatabase(options.system);
  const system = await openSystem(options.system, url);
  try {
    await (options.fill ? options.fill(system, url) : system.fill(options.jobs));
    await context.settle();
    return await timeWorkers(system, { ...options, url });
  } finally {
    await system.close();
    await drop();
  }
}

/** As `drain`, on a filled database. */
async function timeWorkers(system: System, options: DrainOptions & { url: string }): Promise<number> {
  const { mode, jobs, inFlight, url, processes = 1 } = options;
  const children = Array.from({ length: processes }, () => new Child("system-child", { name: options.system, url }));
  try {
    await Promise.all(children.map(async (child) => child.call("ready")));
    const { firstAt } = await waitForRuns(children, {
      jobs,
      start: async (child) => child.call("work", { mode, inFlight }),
    });
    while (await system.isBusy()) await wait(POLL_MS);
    return (jobs / (performance.timeOrigin + performance.now() - firstAt)) * 1_000;
  } finally {
    await Promise.all(children.map(async (child) => child.stop()));
  }
}

interface Progress {
  runs: number;
  firstAt: number;
}

/** Resolves when the children together have reported `jobs` runs; `firstAt` is the start of the first one. */
async function waitForRuns(
  children: readonly Child[],
  { jobs, start }: { jobs: number; start: (child: Child) => Promise<unknown> },
): Promise<{ firstAt: number }> {
  const progress = new Map<Child, Progress>();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${jobs} jobs had not run after ${DEADLINE_MS} ms`)), DEADLINE_MS);
    const onProgress = (child: Child, event: Progress) => {
      progress.set(child, event);
      const all = [...progress.values()];
      if (all.reduce((sum, { runs }) => sum + runs, 0) < jobs) return;
      clearTimeout(timer);
      resolve({ firstAt: Math.min(...all.map(({ firstAt }) => firstAt)) });
    };
    for (const child of children) {
      child.onEvent = (event) => onProgress(child, event as Progress);
      start(child).catch((error: unknown) => {
        clearTimeout(timer);
        reject(new Error("the workers could not start", { cause: error }));
      });
    }
  });
}
