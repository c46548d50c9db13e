import { setTimeout as wait } from "node:timers/promises";
import { Child } from "./child.ts";
import type { Stage, SystemName } from "./benchmark.ts";
import { openSystem } from "./systems/system.ts";
import type { Mode, System } from "./systems/system.ts";

const BUSY_EVERY_MS = 2;
const LIMIT_MS = 300_000;

export interface DrainOptions {
  system: SystemName;
  mode: Mode;
  jobs: number;
  inFlight: number;
  /** Worker processes; one unless given. */
  processes?: number;
  /** Stores the jobs; by the system's own call for many unless given. */
  fill?: (system: System, url: string) => Promise<void>;
}

/**
 * Jobs a second of worker processes that run all there is: from the first run's start until the database says that
 * every job has ended. The jobs are there before the workers start.
 */
export async function drain(stage: Stage, options: DrainOptions): Promise<number> {
  const { url, drop } = await stage.room(options.system);
  const system = await openSystem(options.system, url);
  try {
    await (options.fill ? options.fill(system, url) : system.fill(options.jobs));
    await stage.settle();
    return await timeWorkers(system, { ...options, url });
  } finally {
    await system.close();
    await drop();
  }
}

/** As `drain`, on a database that is filled already. */
export async function timeWorkers(system: System, options: DrainOptions & { url: string }): Promise<number> {
  const { mode, jobs, inFlight, url, processes = 1 } = options;
  const children = Array.from({ length: processes }, () => new Child("system-child", { name: options.system, url }));
  try {
    await Promise.all(children.map(async (child) => child.call("ready")));
    const { firstAt } = await allRun(children, {
      jobs,
      start: async (child) => child.call("work", { mode, inFlight }),
    });
    while (await system.busy()) await wait(BUSY_EVERY_MS);
    return (jobs / (performance.timeOrigin + performance.now() - firstAt)) * 1_000;
  } finally {
    await Promise.all(children.map(async (child) => child.stop()));
  }
}

interface Told {
  runs: number;
  firstAt: number;
}

/** Resolves when the children have told of so many runs. */
async function allRun(
  children: readonly Child[],
  { jobs, start }: { jobs: number; start: (child: Child) => Promise<unknown> },
): Promise<{ firstAt: number }> {
  const told = new Map<Child, Told>();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${jobs} jobs had not run after ${LIMIT_MS} ms`)), LIMIT_MS);
    const hear = (child: Child, event: Told) => {
      told.set(child, event);
      const all = [...told.values()];
      if (all.reduce((sum, { runs }) => sum + runs, 0) < jobs) return;
      clearTimeout(timer);
      resolve({ firstAt: Math.min(...all.map(({ firstAt }) => firstAt)) });
    };
    for (const child of children) {
      child.onEvent = (event) => hear(child, event as Told);
      start(child).catch((error: unknown) => {
        clearTimeout(timer);
        reject(new Error("the workers could not start", { cause: error }));
      });
    }
  });
}
