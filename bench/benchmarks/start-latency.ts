import { atMost } from "../benchmark.ts";
import type { Benchmark, Stage, SystemName } from "../benchmark.ts";
import { Child } from "../child.ts";
import { inTurn } from "../rounds.ts";
import { median, percentile } from "../statistics.ts";

const WARM_UP = 30;

/**
 * From the call that enqueues a job to the start of its handler: one process enqueues, another runs, the queue is empty,
 * and the next job comes when the one before has run.
 */
export const startLatency: Benchmark = {
  name: "start-latency",
  async run(stage) {
    const settings = { jobs: stage.quick ? 100 : 300, inFlight: 10, rounds: stage.quick ? 2 : 5 };
    const samples = await inTurn(
      {
        threadmill: async () => measure(stage, "threadmill", settings),
        graphile: async () => measure(stage, "graphile", settings),
      },
      settings.rounds,
      (name, delays) =>
        stage.say(`  ${name}: p50 ${median(delays).toFixed(2)} ms, p99 ${percentile(delays, 0.99).toFixed(2)} ms`),
    );
    const p50 = (name: "threadmill" | "graphile") => median(samples[name].map(median));
    const p99 = (name: "threadmill" | "graphile") => median(samples[name].map((delays) => percentile(delays, 0.99)));
    return {
      settings,
      samples,
      figures: [
        {
          key: "start_latency_p50_threadmill",
          says: "enqueue to start p50, Threadmill",
          value: p50("threadmill"),
          unit: "ms",
        },
        {
          key: "start_latency_p50_graphile",
          says: "enqueue to start p50, graphile-worker",
          value: p50("graphile"),
          unit: "ms",
        },
        {
          key: "start_latency_p99_threadmill",
          says: "enqueue to start p99, Threadmill",
          value: p99("threadmill"),
          unit: "ms",
        },
        {
          key: "start_latency_p99_graphile",
          says: "enqueue to start p99, graphile-worker",
          value: p99("graphile"),
          unit: "ms",
        },
        {
          key: "start_latency_p50_vs_graphile",
          says: "enqueue to start p50 / graphile-worker",
          value: p50("threadmill") / p50("graphile"),
          unit: "×",
          target: atMost(0.7),
        },
        {
          key: "start_latency_p99_vs_graphile",
          says: "enqueue to start p99 / graphile-worker",
          value: p99("threadmill") / p99("graphile"),
          unit: "×",
          target: atMost(1),
        },
      ],
    };
  },
};

async function measure(
  stage: Stage,
  name: SystemName,
  { jobs, inFlight }: { jobs: number; inFlight: number },
): Promise<number[]> {
  const { url, drop } = await stage.room(name);
  const [enqueuer, worker] = [new Child("system-child", { name, url }), new Child("system-child", { name, url })];
  try {
    await stage.settle();
    await Promise.all([enqueuer.call("ready"), worker.call("work", { mode: "default", inFlight, each: true })]);
    const one = async () => {
      const ran = new Promise<void>((resolve) => {
        worker.onEvent = () => resolve();
      });
      await Promise.all([enqueuer.call("enqueueOne"), ran]);
      // The run's end is written and the worker idle again before the next comes.
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
