import { serve, readSettings, sendEvent } from "./serve.ts";
import type { SystemName } from "./benchmark.ts";
import { openSystem } from "./systems/system.ts";
import type { Mode } from "./systems/system.ts";

/*
 * A process that enqueues or runs jobs of one system. Times are fractional milliseconds since the epoch from a monotonic
 * clock, comparable between the processes of one machine.
 */
const REPORT_EVERY_MS = 20;
const now = () => performance.timeOrigin + performance.now();

const { name, url } = readSettings() as { name: SystemName; url: string };
const system = await openSystem(name, url);
let stop = async () => Promise.resolve();
let runs = 0;
let reported = 0;
let firstAt = 0;
let delays: number[] = [];

serve(
  {
    ready: () => true,
    /** Runs jobs and reports their number every few milliseconds; with `each`, at the start of each run. */
    async work({ mode, inFlight, each = false }: { mode: Mode; inFlight: number; each?: boolean }) {
      const onRun = (payload: unknown) => {
        runs += 1;
        if (runs === 1) firstAt = now();
        const { at } = payload as { at?: number };
        if (at !== undefined) delays.push(now() - at);
        if (each) sendEvent({ runs, firstAt });
      };
      stop = await system.work({ mode, inFlight, onRun });
      if (each) return;
      setInterval(() => {
        if (runs > reported) sendEvent({ runs: (reported = runs), firstAt });
      }, REPORT_EVERY_MS).unref();
    },
    async enqueueOne() {
      await system.enqueue({ at: now() });
    },
    /** Stores `count` jobs in one call; returns its milliseconds. */
    async enqueueMany(count: number) {
      const start = performance.now();
      await system.enqueueMany(count);
      return performance.now() - start;
    },
    /** Enqueues at a steady rate without waiting for earlier jobs; resolves when all jobs are stored. */
    async enqueueAtRate({ perSecond, seconds }: { perSecond: number; seconds: number }) {
      const start = now();
      const stored: Promise<void>[] = [];
      for (let count = 0; count < perSecond * seconds;) {
        const due = Math.min(((now() - start) / 1_000) * perSecond, perSecond * seconds);
        // The scheduled time counts, so that a late sender does not hide a delay.
        for (; count < due; count += 1) stored.push(system.enqueue({ at: start + (count / perSecond) * 1_000 }));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await Promise.all(stored);
    },
    /** Milliseconds from enqueueing to the start of the run, of the jobs since the last call. */
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
