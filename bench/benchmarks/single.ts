import { atLeast } from "../benchmark.ts";
import type { Benchmark } from "../benchmark.ts";
import { drain } from "../drain.ts";
import { inTurn } from "../rounds.ts";
import { median } from "../statistics.ts";

/**
 * Jobs that do nothing, each claimed and completed by statements of its own. Threadmill has no setting for that: ten
 * workers of one place each, in one process and on one pool, do it, with their leases and heartbeats.
 */
export const single: Benchmark = {
  name: "single",
  async run(stage) {
    const settings = { jobs: stage.quick ? 3_000 : 10_000, inFlight: 10, processes: 1, rounds: stage.quick ? 2 : 3 };
    const { jobs, inFlight, rounds } = settings;
    const samples = await inTurn(
      {
        threadmill: async () => drain(stage, { system: "threadmill", mode: "single", jobs, inFlight }),
        graphile: async () => drain(stage, { system: "graphile", mode: "default", jobs, inFlight }),
        pgboss: async () => drain(stage, { system: "pgboss", mode: "single", jobs, inFlight }),
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
        { key: "single_threadmill", says: "one by one, Threadmill", value: own, unit: "jobs/s" },
        {
          key: "single_graphile_default",
          says: "one by one, graphile-worker default",
          value: graphile,
          unit: "jobs/s",
        },
        { key: "single_pgboss", says: "one by one, pg-boss", value: pgboss, unit: "jobs/s" },
        {
          key: "single_vs_graphile_default",
          says: "one by one / graphile-worker default",
          value: own / graphile,
          unit: "×",
          target: atLeast(1.5),
        },
      ],
    };
  },
};
