import { atLeast } from "../benchmark.ts";
import type { Benchmark } from "../benchmark.ts";
import { compareSystems } from "../compare-systems.ts";
import { drain } from "../drain.ts";

/**
 * Trivial jobs, each claimed and completed by separate statements. Threadmill has no such setting, so ten workers of one
 * place each share one process and one pool, with their leases and heartbeats.
 */
export const single: Benchmark = {
  name: "single",
  async run(context) {
    const settings = {
      jobs: context.quick ? 3_000 : 10_000,
      inFlight: 10,
      processes: 1,
      rounds: context.quick ? 2 : 3,
    };
    const { jobs, inFlight, rounds } = settings;
    const { samples, medians } = await compareSystems(context, rounds, async (system) =>
      drain(context, { system, mode: system === "graphile" ? "default" : "single", jobs, inFlight }),
    );
    return {
      settings,
      samples,
      figures: [
        { key: "single_threadmill", label: "one by one, Threadmill", value: medians.threadmill, unit: "jobs/s" },
        {
          key: "single_graphile_default",
          label: "one by one, graphile-worker default",
          value: medians.graphile,
          unit: "jobs/s",
        },
        { key: "single_pgboss", label: "one by one, pg-boss", value: medians.pgboss, unit: "jobs/s" },
        {
          key: "single_vs_graphile_default",
          label: "one by one / graphile-worker default",
          value: medians.threadmill / medians.graphile,
          unit: "×",
          target: atLeast(1.5),
        },
      ],
    };
  },
};
