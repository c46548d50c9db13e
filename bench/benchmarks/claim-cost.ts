import { atLeast } from "../benchmark.ts";
import type { Benchmark, Figure, BenchContext } from "../benchmark.ts";
import { openClaimLoop } from "../claim-loop.ts";
import type { ClaimLoop } from "../claim-loop.ts";
import { addLines, addRows } from "../fill-table.ts";
import type { Content } from "../fill-table.ts";
import type { Line } from "../plot.ts";
import { interleave } from "../interleave.ts";
import { median } from "../statistics.ts";

const NAMES = ["empty", "finished", "scheduled", "behind threads", "queued", "queued at once"] as const;
type Name = (typeof NAMES)[number];

/** Claims and completes a hundred jobs at a time while the table holds other rows. */
export const claimCost: Benchmark = {
  name: "claim-cost",
  async run(context) {
    const settings = {
      jobs: context.quick ? 3_000 : 10_000,
      rounds: context.quick ? 2 : 4,
      rows: context.quick ? 100_000 : 1_000_000,
    };
    const { jobs, rounds, rows } = settings;
    const loops = await openLoops(context);
    try {
      const lines = await fillTables(context, loops, settings);
      const measure = (name: Name) => async () => {
        await loops[name].add(jobs);
        return loops[name].run(jobs);
      };
      const cases = Object.fromEntries(NAMES.map((name) => [name, measure(name)])) as Record<
        Name,
        () => Promise<number>
      >;
      const samples = await interleave(cases, rounds, (name, rate) =>
        context.log(`  ${name}: ${Math.round(rate)} jobs/s`),
      );
      return {
        settings,
        samples: { ...samples, growing: lines },
        figures: toFigures(samples, rows),
        plots: [
          {
            name: "throughput-by-table-size",
            title: "Claim and complete 100 at a time, by what else the table holds",
            x: { label: "other rows in the table", log: true },
            y: { label: "jobs/s" },
            lines,
          },
        ],
      };
    } finally {
      for (const loop of Object.values(loops)) await loop.close();
    }
  },
};

async function openLoops(context: BenchContext): Promise<Record<Name, ClaimLoop>> {
  const loops: [Name, ClaimLoop][] = [];
  for (const name of NAMES) loops.push([name, await openClaimLoop(context)]);
  return Object.fromEntries(loops) as Record<Name, ClaimLoop>;
}

/** Fills the tables; measures two of them after each of four steps. */
async function fillTables(
  context: BenchContext,
  loops: Record<Name, ClaimLoop>,
  { rows, jobs }: { rows: number; jobs: number },
): Promise<Line[]> {
  const grow = async (name: Name & Content): Promise<Line> => {
    const points = [];
    let held = 0;
    for (const size of [rows / 1_000, rows / 100, rows / 10, rows]) {
      await addRows(loops[name].db, name, size - held);
      held = size;
      await loops[name].add(jobs);
      points.push({ x: size, y: await loops[name].run(jobs) });
    }
    return { label: name, points };
  };
  const lines = [await grow("finished"), await grow("queued")];
  await addRows(loops.scheduled.db, "scheduled", rows);
  await addLines(loops["behind threads"].db, 100, rows / 5);
  await addRows(loops["queued at once"].db, "queued", rows / 10);
  context.log("  tables are filled");
  return lines;
}

function toFigures(samples: Record<Name, number[]>, rows: number): Figure[] {
  const empty = median(samples.empty);
  const others = NAMES.filter((name) => name !== "empty");
  const held: Partial<Record<Name, number>> = { "behind threads": rows / 5, "queued at once": rows / 10 };
  return [
    { key: "claim_empty", label: "claim and complete 100, empty table", value: empty, unit: "jobs/s" },
    ...others.map((name) => ({
      key: `claim_${name.replaceAll(" ", "_")}`,
      label: `… with ${(held[name] ?? rows).toLocaleString("en")} ${name} / empty`,
      value: median(samples[name]) / empty,
      unit: "×",
    })),
    {
      key: "claim_flatness_min",
      label: "claim: worst of these / empty",
      value: Math.min(...others.map((name) => median(samples[name]) / empty)),
      unit: "×",
      target: atLeast(0.8),
    },
  ];
}
