import { atMost } from "../benchmark.ts";
import type { Benchmark, BenchContext, SystemName } from "../benchmark.ts";
import { Child } from "../child.ts";
import { interleave } from "../interleave.ts";
import { median, percentile } from "../statistics.ts";

const WARM_UP = 30;

/**
 * From the call that enqueues a job to the start of its handler. One process enqueues, another runs, and each job is
 * enqueued after the one before has run.
 */
export const startLatency: Benchmark = {
  name: "start-latency",
  async run(context) {
    const settings = { jobs: context.quick ? 100 : 300, inFlight: 10, rounds: context.quick ? 2 : 5 };
    const samples = await interleave(
      {
        threadmill: async () => measure(context, "threadmill", settings),
        graphile: async () => measure(context, "graphile", settings),
      },
      settings.rounds,
      (name, delays) =>
        context.log(`  ${name}: p50 ${median(delays).toFixed(2)} ms, p99 ${percentile(delays, 0.99).toFixed(2)} ms`),
    );
    const p50 = (name: "threadmill" | "graphile") => median(samples[name].map(median));
    const p99 = (name: "threadmill" | "graphile") => median(samples[name].map((delays) => percentile(delays, 0.99)));
    return {
      settings,
      samples,
      figures: [
        {
          key: "start_latency_p50_threadmill",
          label: "enqueue to start p50, Threadmill",
          value: p50("threadmill"),
          unit: "ms",
        },
        {
          key: "start_latency_p50_graphile",
          label: "enqueue to start p50, graphile-worker",
          value: p50("graphile"),
          unit: "ms",
        },
        {
          key: "start_latency_p99_threadmill",
          label: "enqueue to start p99, Threadmill",
          value: p99("threadmill"),
          unit: "ms",
        },
        {
          key: "start_latency_p99_graphile",
          label: "enqueue to start p99, graphile-worker",
          value: p99("graphile"),
          unit: "ms",
        },
        {
          key: "start_latency_p50_vs_graphile",
          label: "enqueue to start p50 / graphile-worker",
          value: p50("threadmill") / p50("graphile"),
          unit: "×",
          target: atMost(0.7),
        },
        {
          key: "start_latency_p99_vs_graphile",
          label: "enqueue to start p99 / graphile-worker",
          value: p99("threadmill") / p99("graphile"),
          unit: "×",
          target: atMost(1),
        },
      ],
    };
  },
};

async function measure(
  context: BenchContext,
  name: SystemName,
  { jobs, inFlight }: { jobs: number; inFlight: number },
): Promise<number[]> {
  const { url, drop } = await context.createDatabase(name);
  const [enqueuer, worker] = [new Child("system-child", { name, url }), new Child("system-child", { name, url })];
  try {
    await context.settle();
    await Promise.all([enqueuer.call("ready"), worker.call("work", { mode: "default", inFlight, each: true })]);
    const one = async () => {
      const ran = new Promise<void>((resolve) => {
        worker.onEvent = () => resolve();
      });
      await Promise.all([enqueuer.call("enqueueOne"), ran]);
      // Lets the worker store the job's end and become idle.
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    };
    for (let count = 0; count < WARM_UP; count += 1) await one();
    await worker.call("takeDelays");
    for (let count = 0; count < jobs; count += 1) await one();
    return await worker.call<number[]>("takeDelays");
  } finally {
    await Promise.all([enqueuer.stop(), worker.stop()]);
    await drop();
  }
}

const IDLE_MS = 15;
