import { atLeast } from "../benchmark.ts";
import type { Benchmark } from "../benchmark.ts";
import { drain } from "../drain.ts";
import { interleave } from "../interleave.ts";
import { median } from "../statistics.ts";

const COUNTS = [1, 2, 4] as const;

/** Throughput of 1, 2 and 4 worker processes: more processes than cores must not slow the others down. */
export const processes: Benchmark = {
  name: "processes",
  async run(context) {
    // Enough jobs that the warm-up of a process does not count.
    const settings = { jobs: context.quick ? 120_000 : 180_000, inFlight: 500, rounds: context.quick ? 1 : 3 };
    const { rounds, ...load } = settings;
    const measure = async (system: "threadmill" | "graphile", times: number) =>
      interleave(
        Object.fromEntries(
          COUNTS.map((count) => [
            `${system} ${count}`,
            async () => drain(context, { system, mode: "fast", processes: count, ...load }),
          ]),
        ),
        times,
        (name, rate) => context.log(`  ${name}: ${Math.round(rate)} jobs/s`),
      );
    // One round of the peer: its figures are only in the plot.
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
          label: `throughput of ${x} worker process${x === 1 ? "" : "es"}`,
          value: y,
          unit: "jobs/s",
        })),
        {
          key: "processes_kept_min",
          label: "throughput as processes are added / best of fewer",
          value: Math.min(...kept),
          unit: "×",
          target: atLeast(0.9),
        },
      ],
      plots: [
        {
          name: "throughput-by-processes",
          title: "Throughput by worker processes, jobs that do nothing",
          x: { label: "worker processes" },
          y: { label: "jobs/s" },
          lines: [
            { label: "Threadmill", points },
            { label: "graphile-worker, fast settings", points: line("graphile") },
          ],
        },
      ],
    };
  },
};
