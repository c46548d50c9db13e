import { atMost } from "../benchmark.ts";
import type { Benchmark, Figure } from "../benchmark.ts";
import { Child } from "../child.ts";
import { startProduct } from "../product.ts";
import { interleave } from "../interleave.ts";
import { median, percentile } from "../statistics.ts";

const WARM_UP = 200;

/**
 * A chat turn from its submit to reading its reply through the product's worker, beside a direct call of the same graph
 * with checkpoints in memory. The offline engine answers.
 */
export const chatTurn: Benchmark = {
  name: "chat-turn",
  async run(context) {
    const settings = { turns: context.quick ? 200 : 1_000, inFlight: 10, rounds: context.quick ? 2 : 3 };
    const { rounds, ...load } = settings;
    // The latency for one person on an idle machine.
    const alone = { turns: load.turns / 10, inFlight: 1 };
    const { url, drop } = await context.createDatabase("threadmill");
    const worker = await startProduct("worker", { DATABASE_URL: url, WORKER_CONCURRENCY: String(load.inFlight) });
    const child = new Child("chat-child", { url });
    try {
      await child.call("submit", { ...load, turns: WARM_UP });
      await child.call("call", { ...load, turns: WARM_UP });
      await child.call("analyze");
      const samples = await interleave(
        {
          threadmill: async () => child.call<number[]>("submit", load),
          direct: async () => child.call<number[]>("call", load),
          alone: async () => child.call<number[]>("submit", alone),
          directAlone: async () => child.call<number[]>("call", alone),
        },
        rounds,
        (name, times) =>
          context.log(`  ${name}: p50 ${median(times).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`),
      );
      return { settings, samples, figures: toFigures(samples) };
    } finally {
      await child.stop();
      await worker.stop();
      await drop();
    }
  },
};

type Case = "threadmill" | "direct" | "alone" | "directAlone";

/** `samples` has the milliseconds of each turn, by round. */
function toFigures(samples: Record<Case, number[][]>): Figure[] {
  const p50 = (name: Case) => median(samples[name].map(median));
  const p99 = (name: Case) => median(samples[name].map((times) => percentile(times, 0.99)));
  return [
    { key: "chat_p50_ms", label: "chat turn p50, Threadmill", value: p50("threadmill"), unit: "ms" },
    {
      key: "chat_direct_p50_ms",
      label: "chat turn p50, graph called directly",
      value: p50("direct"),
      unit: "ms",
    },
    {
      key: "chat_overhead_p50_ms",
      label: "chat turn p50, more than direct",
      value: p50("threadmill") - p50("direct"),
      unit: "ms",
      target: atMost(10),
    },
    {
      key: "chat_overhead_p99_ms",
      label: "chat turn p99, more than direct",
      value: p99("threadmill") - p99("direct"),
      unit: "ms",
      target: atMost(25),
    },
    { key: "chat_alone_p50_ms", label: "chat turn p50, one at a time", value: p50("alone"), unit: "ms" },
    {
      key: "chat_alone_overhead_p50_ms",
      label: "chat turn p50, one at a time, more than direct",
      value: p50("alone") - p50("directAlone"),
      unit: "ms",
    },
  ];
}
