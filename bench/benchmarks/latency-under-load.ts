import { setTimeout as wait } from "node:timers/promises";
import type { Benchmark, Stage, SystemName } from "../benchmark.ts";
import { Child } from "../child.ts";
import { median, percentile } from "../statistics.ts";

const IN_FLIGHT = 100;
const DRAIN_LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 50;

/** From when a job is due to be enqueued to the start of its handler, at rising rates, whether or not the system keeps up. */
export const latencyUnderLoad: Benchmark = {
  name: "latency-under-load",
  async run(stage) {
    const settings = {
      perSecond: stage.quick ? [100, 500, 2_000] : [50, 200, 500, 1_000, 2_000, 3_000],
      seconds: stage.quick ? 2 : 4,
      inFlight: IN_FLIGHT,
    };
    const samples: Record<string, { perSecond: number; p50: number; p99: number; ran: number }[]> = {
      threadmill: [],
      graphile: [],
    };
    for (const perSecond of settings.perSecond) {
      for (const system of ["threadmill", "graphile"] as const) {
        const delays = await measure(stage, system, { perSecond, seconds: settings.seconds });
        const [p50, p99] = [median(delays), percentile(delays, 0.99)];
        samples[system]?.push({ perSecond, p50, p99, ran: delays.length });
        stage.say(`  ${system} at ${perSecond}/s: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
      }
    }
    const line = (says: string, system: string, share: "p50" | "p99") => ({
      says,
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
          x: { says: "jobs/s enqueued", log: true },
          y: { says: "milliseconds", log: true },
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

/** Delays in milliseconds; jobs that had not run long after the last was enqueued are not among them. */
async function measure(
  stage: Stage,
  name: SystemName,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<number[]> {
  const { url, drop } = await stage.room(name);
  const [enqueuer, worker] = [new Child("system-child", { name, url }), new Child("system-child", { name, url })];
  try {
    const told = { runs: 0 };
    worker.onEvent = (event) => Object.assign(told, event);
    await stage.settle();
    await Promise.all([enqueuer.call("ready"), worker.call("work", { mode: "default", inFlight: IN_FLIGHT })]);
    await enqueuer.call("enqueueAtRate", { perSecond: 50, seconds: 1 });
    const all = told.runs + perSecond * seconds;
    await worker.call("takeDelays");
    await enqueuer.call("enqueueAtRate", { perSecond, seconds });
    const last = performance.now() + DRAIN_LIMIT_MS;
    while (told.runs < all && performance.now() < last) await wait(LOOK_EVERY_MS);
    return await worker.call<number[]>("takeDelays");
  } finally {
    await Promise.all([enqueuer.stop(), worker.stop()]);
    await drop();
  }
}
