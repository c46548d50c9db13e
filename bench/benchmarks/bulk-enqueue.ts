import { atLeast } from "../benchmark.ts";
import type { Benchmark, BenchContext, SystemName } from "../benchmark.ts";
import { Child } from "../child.ts";
import { compareSystems } from "../compare-systems.ts";

const JOBS = 10_000;

/** One call that stores 10,000 jobs. */
export const bulkEnqueue: Benchmark = {
  name: "bulk-enqueue",
  async run(context) {
    const rounds = context.quick ? 3 : 7;
    const { samples, medians } = await compareSystems(context, rounds, async (system) => measure(context, system));
    return {
      settings: { jobs: JOBS, rounds },
      samples,
      figures: [
        {
          key: "bulk_enqueue_threadmill",
          label: "bulk enqueue, Threadmill",
          value: medians.threadmill,
          unit: "jobs/s",
        },
        {
          key: "bulk_enqueue_graphile",
          label: "bulk enqueue, graphile-worker",
          value: medians.graphile,
          unit: "jobs/s",
        },
        { key: "bulk_enqueue_pgboss", label: "bulk enqueue, pg-boss", value: medians.pgboss, unit: "jobs/s" },
        {
          key: "bulk_enqueue_vs_graphile",
          label: "bulk enqueue / graphile-worker",
          value: medians.threadmill / medians.graphile,
          unit: "×",
          target: atLeast(1),
        },
      ],
    };
  },
};

/** Jobs a second of a process's second call: the first one runs cold code on an empty pool. */
async function measure(context: BenchContext, name: SystemName): Promise<number> {
  const { url, drop } = await context.createDatabase(name);
  const child = new Child("system-child", { name, url });
  try {
    await child.call("enqueueMany", JOBS);
    await context.settle();
    return (JOBS / (await child.call<number>("enqueueMany", JOBS))) * 1_000;
  } finally {
    await child.stop();
    await drop();
  }
}
