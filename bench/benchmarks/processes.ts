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
    const measure = (system: "threadmill" | "graphile", count: number) => async () =>
      drain(stage, { system, mode: "fast", processes: count, ...load });
    const say = (name: string, rate: number) => stage.say(`  ${name}: ${Math.round(rate)} jobs/s`);
    const own = {
      "threadmill 1": measure("threadmill", 1),
      "threadmill 2": measure("threadmill", 2),
      "threadmill 4": measure("threadmill", 4),
    };
    // Beside it, for the plot only.
    const peer = {
      "graphile 1": measure("graphile", 1),
      "graphile 2": measure("graphile", 2),
      "graphile 4": measure("graphile", 4),
    };
    const samples: Record<keyof typeof own | keyof typeof peer, number[]> = {
      ...(await inTurn(own, rounds, (name, rate) => say(name, rate))),
      ...(await inTurn(peer, 1, (name, rate) => say(name, rate))),
    };
    const line = (system: "threadmill" | "graphile") =>
      COUNTS.map((count) => ({ x: count, y: median(samples[`${system} ${count}`]) }));
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
