import { setTimeout as wait } from "node:timers/promises";
import type { Benchmark, BenchContext, SystemName } from "../benchmark.ts";
import { Child } from "../child.ts";
import { median, percentile } from "../statistics.ts";

const IN_FLIGHT = 100;
const DRAIN_DEADLINE_MS = 10_000;
const POLL_MS = 50;

/** From the scheduled time of an enqueue to the start of its handler, at rising rates. */
export const latencyUnderLoad: Benchmark = {
  name: "latency-under-load",
  async run(context) {
    const settings = {
      perSecond: context.quick ? [100, 500, 2_000] : [50, 200, 500, 1_000, 2_000, 3_000],
      seconds: context.quick ? 2 : 4,
      inFlight: IN_FLIGHT,
    };
    const samples: Record<string, { perSecond: number; p50: number; p99: number; ran: number }[]> = {
      threadmill: [],
      graphile: [],
    };
    for (const perSecond of settings.perSecond) {
      for (const system of ["threadmill", "graphile"] as const) {
        const delays = await measure(context, system, { perSecond, seconds: settings.seconds });
        const [p50, p99] = [median(delays), percentile(delays, 0.99)];
        samples[system]?.push({ perSecond, p50, p99, ran: delays.length });
        context.log(`  ${system} at ${perSecond}/s: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
      }
    }
    const line = (label: string, system: string, share: "p50" | "p99") => ({
      label,
      points: (samples[system] ?? []).map((sample) => ({ x: sample.perSecond, y: sample[share] })),
    });
    return {
      settings,
      samples,
      figures: [],
      plots: [
        {
          name: "start-latency-by-load",
          title: "Enqueue to start, by jobs enqueued a second",
          x: { label: "jobs/s enqueued", log: true },
          y: { label: "milliseconds", log: true },
          lines: [
            line("Threadmill p50", "threadmill", "p50"),
            line("Threadmill p99", "threadmill", "p99"),
            line("graphile-worker p50", "graphile", "p50"),
            line("graphile-worker p99", "graphile", "p99"),
          ],
        },
      ],
    };
  },
};

/** Delays in milliseconds, without the jobs that had not run `DRAIN_DEADLINE_MS` after the last enqueue. */
async function measure(
  context: BenchContext,
  name: SystemName,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<number[]> {
  const { url, drop } = await context.createDatabase(name);
  const [enqueuer, worker] = [new Child("system-child", { name, url }), new Child("system-child", { name, url })];
  try {
    const progress = { runs: 0 };
    worker.onEvent = (event) => Object.assign(progress, event);
    await context.settle();
    await Promise.all([enqueuer.call("ready"), worker.call("work", { mode: "default", inFlight: IN_FLIGHT })]);
    await enqueuer.call("enqueueAtRate", { perSecond: 50, seconds: 1 });
    const all = progress.runs + perSecond * seconds;
    await worker.call("takeDelays");
    await enqueuer.call("enqueueAtRate", { perSecond, seconds });
    const last = performance.now() + DRAIN_DEADLINE_MS;
    while (progress.runs < all && performance.now() < last) await wait(POLL_MS);
    return await worker.call<number[]>("takeDelays");
  } finally {
    await Promise.all([enqueuer.stop(), worker.stop()]);
    await drop();
  }
}
