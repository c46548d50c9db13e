import { atLeast } from "../benchmark.ts";
import type { Benchmark } from "../benchmark.ts";
import { drain } from "../drain.ts";
import { inTurn } from "../rounds.ts";
import { median } from "../statistics.ts";

const COUNTS = [1, 2, 4] as const;

/** Throughput as worker processes are added: past what the machine can do it must not fall. */
export const processes: Benchmark = {
  name: "processes",
  async run(stage) {
    // So many that what a process costs until it is warm is not what is measured.
    const settings = { jobs: stage.quick ? 120_000 : 180_000, inFlight: 500, rounds: stage.quick ? 1 : 3 };
    const { rounds, ...load } = settings;
    const measure = async (system: "threadmill" | "graphile", times: number) =>
      inTurn(
        Object.fromEntries(
          COUNTS.map((count) => [
            `${system} ${count}`,
            async () => drain(stage, { system, mode: "fast", processes: count, ...load }),
          ]),
        ),
        times,
        (name, rate) => stage.say(`  ${name}: ${Math.round(rate)} jobs/s`),
      );
    // The other is beside it in the plot only: once is enough.
    const samples = { ...(await measure("threadmill", rounds)), ...(await measure("graphile", 1)) };
    const line = (system: "threadmill" | "graphile") =>
      COUNTS.map((count) => ({ x: count, y: median(samples[`${system} ${count}`] ?? []) }));
    const points = line("threadmill");
    const kept = points
      .slice(1)
      .map(({ y }, index) => y / Math.max(...points.slice(0, index + 1).map((before) => before.y)));
    return {
      settings,
      samples,
      figures: [
        ...points.map(({ x, y }) => ({
          key: `throughput_${x}_processes`,
          says: `throughput of ${x} worker process${x === 1 ? "" : "es"}`,
          value: y,
          unit: "jobs/s",
        })),
        {
          key: "processes_kept_min",
          says: "throughput as processes are added / best of fewer",
          value: Math.min(...kept),
          unit: "×",
          target: atLeast(0.9),
        },
      ],
      plots: [
        {
          name: "throughput-by-processes",
          title: "Throughput by worker processes, jobs that do nothing",
          x: { says: "worker processes" },
          y: { says: "jobs/s" },
          lines: [
            { says: "Threadmill", points },
            { says: "graphile-worker, fast settings", points: line("graphile") },
          ],
        },
      ],
    };
  },
};
