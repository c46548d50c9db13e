import { atLeast } from "../benchmark.ts";
import type { Benchmark, Stage, SystemName } from "../benchmark.ts";
import { Child } from "../child.ts";
import { inTurn } from "../rounds.ts";
import { median } from "../statistics.ts";

const JOBS = 10_000;

/** One call that stores many jobs. */
export const bulkEnqueue: Benchmark = {
  name: "bulk-enqueue",
  async run(stage) {
    const rounds = stage.quick ? 3 : 7;
    const samples = await inTurn(
      {
        threadmill: async () => measure(stage, "threadmill"),
        graphile: async () => measure(stage, "graphile"),
        pgboss: async () => measure(stage, "pgboss"),
      },
      rounds,
      (name, perSecond) => stage.say(`  ${name}: ${Math.round(perSecond)} jobs/s`),
    );
    const [own, graphile, pgboss] = [samples.threadmill, samples.graphile, samples.pgboss].map(median) as [
      number,
      number,
      number,
    ];
    return {
      settings: { jobs: JOBS, rounds },
      samples,
      figures: [
        { key: "bulk_enqueue_threadmill", says: "bulk enqueue, Threadmill", value: own, unit: "jobs/s" },
        { key: "bulk_enqueue_graphile", says: "bulk enqueue, graphile-worker", value: graphile, unit: "jobs/s" },
        { key: "bulk_enqueue_pgboss", says: "bulk enqueue, pg-boss", value: pgboss, unit: "jobs/s" },
        {
          key: "bulk_enqueue_vs_graphile",
          says: "bulk enqueue / graphile-worker",
          value: own / graphile,
          unit: "×",
          target: atLeast(1),
        },
      ],
    };
  },
};

/** Jobs a second of the second call of a process: the first one meets cold code and an empty pool. */
async function measure(stage: Stage, name: SystemName): Promise<number> {
  const { url, drop } = await stage.room(name);
  const child = new Child("system-child", { name, url });
  try {
    await child.call("enqueueMany", JOBS);
    await stage.settle();
    return (JOBS / (await child.call<number>("enqueueMany", JOBS))) * 1_000;
  } finally {
    await child.stop();
    await drop();
  }
}
