import { serve, givenSettings, tell } from "./serve.ts";
import type { SystemName } from "./benchmark.ts";
import { openSystem } from "./systems/system.ts";
import type { Mode } from "./systems/system.ts";

/*
 * A process that enqueues or runs jobs of one system. Times are milliseconds since the epoch with fractions, from a clock
 * that does not jump: comparable between the processes of one machine.
 */
const COUNT_EVERY_MS = 20;
const now = () => performance.timeOrigin + performance.now();

const { name, url } = givenSettings() as { name: SystemName; url: string };
const system = await openSystem(name, url);
let stop = async () => Promise.resolve();
let runs = 0;
let told = 0;
let firstAt = 0;
let delays: number[] = [];

serve(
  {
    ready: () => true,
    /** Runs jobs, telling every few milliseconds how many there were; with `each`, at once of each. */
    async work({ mode, inFlight, each = false }: { mode: Mode; inFlight: number; each?: boolean }) {
      const onRun = (payload: unknown) => {
        runs += 1;
        if (runs === 1) firstAt = now();
        const { at } = payload as { at?: number };
        if (at !== undefined) delays.push(now() - at);
        if (each) tell({ runs, firstAt });
      };
      stop = await system.work({ mode, inFlight, onRun });
      if (each) return;
      setInterval(() => {
        if (runs > told) tell({ runs: (told = runs), firstAt });
      }, COUNT_EVERY_MS).unref();
    },
    async enqueueOne() {
      await system.enqueue({ at: now() });
    },
    /** Milliseconds that one call for so many jobs took. */
    async enqueueMany(count: number) {
      const start = performance.now();
      await system.enqueueMany(count);
      return performance.now() - start;
    },
    /** Enqueues at a steady rate a second, whether or not those before have been stored; resolves when all have been. */
    async enqueueAtRate({ perSecond, seconds }: { perSecond: number; seconds: number }) {
      const start = now();
      const stored: Promise<void>[] = [];
      for (let count = 0; count < perSecond * seconds;) {
        const due = Math.min(((now() - start) / 1_000) * perSecond, perSecond * seconds);
        // The time at which it was to come counts, not when this process got to it.
        for (; count < due; count += 1) stored.push(system.enqueue({ at: start + (count / perSecond) * 1_000 }));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await Promise.all(stored);
    },
    /** From enqueueing to the start of the run, in milliseconds, of the jobs since the last call. */
    takeDelays() {
      const taken = delays;
      delays = [];
      return taken;
    },
    memoryMb: () => process.memoryUsage().rss / 1024 / 1024,
  },
  async () => {
    await stop();
    await system.close();
  },
);
