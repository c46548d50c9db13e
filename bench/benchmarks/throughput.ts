import { atLeast } from "../benchmark.ts";
import type { Benchmark } from "../benchmark.ts";
import { drain } from "../drain.ts";
import { inTurn } from "../rounds.ts";
import { median } from "../statistics.ts";

/** Jobs that do nothing, at each system's fastest settings; Threadmill keeps leases, heartbeats and history. */
export const throughput: Benchmark = {
  name: "throughput",
  async run(stage) {
    const settings = { jobs: stage.quick ? 10_000 : 50_000, inFlight: 500, processes: 1, rounds: stage.quick ? 2 : 3 };
    const { jobs, inFlight, rounds } = settings;
    const samples = await inTurn(
      {
        threadmill: async () => drain(stage, { system: "threadmill", mode: "fast", jobs, inFlight }),
        graphile: async () => drain(stage, { system: "graphile", mode: "fast", jobs, inFlight }),
        pgboss: async () => drain(stage, { system: "pgboss", mode: "fast", jobs, inFlight }),
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
      settings,
      samples,
      figures: [
        { key: "throughput_threadmill", says: "throughput, Threadmill", value: own, unit: "jobs/s" },
        { key: "throughput_graphile_fast", says: "throughput, graphile-worker fast", value: graphile, unit: "jobs/s" },
        { key: "throughput_pgboss_batch", says: "throughput, pg-boss batch 100", value: pgboss, unit: "jobs/s" },
        {
          key: "throughput_vs_graphile_fast",
          says: "throughput / graphile-worker fast",
          value: own / graphile,
          unit: "×",
          target: atLeast(2),
        },
        {
          key: "throughput_vs_pgboss_batch",
          says: "throughput / pg-boss batch 100",
          value: own / pgboss,
          unit: "×",
          target: atLeast(5),
        },
      ],
    };
  },
};
