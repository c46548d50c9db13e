import { atLeast } from "../benchmark.ts";
import type { Benchmark } from "../benchmark.ts";
import { compareSystems } from "../compare-systems.ts";
import { drain } from "../drain.ts";

/** Trivial jobs at each system's fastest settings; Threadmill keeps leases, heartbeats and history. */
export const throughput: Benchmark = {
  name: "throughput",
  async run(context) {
    const settings = {
      jobs: context.quick ? 10_000 : 50_000,
      inFlight: 500,
      processes: 1,
      rounds: context.quick ? 2 : 3,
    };
    const { jobs, inFlight, rounds } = settings;
    const { samples, medians } = await compareSystems(context, rounds, async (system) =>
      drain(context, { system, mode: "fast", jobs, inFlight }),
    );
    return {
      settings,
      samples,
      figures: [
        { key: "throughput_threadmill", label: "throughput, Threadmill", value: medians.threadmill, unit: "jobs/s" },
        {
          key: "throughput_graphile_fast",
          label: "throughput, graphile-worker fast",
          value: medians.graphile,
          unit: "jobs/s",
        },
        {
          key: "throughput_pgboss_batch",
          label: "throughput, pg-boss batch 100",
          value: medians.pgboss,
          unit: "jobs/s",
        },
        {
          key: "throughput_vs_graphile_fast",
          label: "throughput / graphile-worker fast",
          value: medians.threadmill / medians.graphile,
          unit: "×",
          target: atLeast(2),
        },
        {
          key: "throughput_vs_pgboss_batch",
          label: "throughput / pg-boss batch 100",
          value: medians.threadmill / medians.pgboss,
          unit: "×",
          target: atLeast(5),
        },
      ],
    };
  },
};
