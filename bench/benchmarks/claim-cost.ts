import { atLeast } from "../benchmark.ts";
import type { Benchmark, Figure, Stage } from "../benchmark.ts";
import { openClaimRoom } from "../claim-loop.ts";
import type { ClaimRoom } from "../claim-loop.ts";
import { addLines, addRows } from "../contents.ts";
import type { Content } from "../contents.ts";
import type { Line } from "../plot.ts";
import { inTurn } from "../rounds.ts";
import { median } from "../statistics.ts";

const NAMES = ["empty", "finished", "scheduled", "behind threads", "queued", "queued at once"] as const;
type Name = (typeof NAMES)[number];

/** Claiming and completing a hundred jobs at a time, whatever else the table holds. */
export const claimCost: Benchmark = {
  name: "claim-cost",
  async run(stage) {
    const settings = {
      jobs: stage.quick ? 3_000 : 10_000,
      rounds: stage.quick ? 2 : 4,
      rows: stage.quick ? 100_000 : 1_000_000,
    };
    const { jobs, rounds, rows } = settings;
    const rooms = await openRooms(stage);
    try {
      const lines = await fillRooms(stage, rooms, settings);
      const measure = (name: Name) => async () => {
        await rooms[name].add(jobs);
        return rooms[name].run(jobs);
      };
      const cases = Object.fromEntries(NAMES.map((name) => [name, measure(name)])) as Record<
        Name,
        () => Promise<number>
      >;
      const samples = await inTurn(cases, rounds, (name, rate) => stage.say(`  ${name}: ${Math.round(rate)} jobs/s`));
      return {
        settings,
        samples: { ...samples, growing: lines },
        figures: toFigures(samples, rows),
        plots: [
          {
            name: "throughput-by-table-size",
            title: "Claim and complete 100 at a time, by what else the table holds",
            x: { says: "other rows in the table", log: true },
            y: { says: "jobs/s" },
            lines,
          },
        ],
      };
    } finally {
      for (const room of Object.values(rooms)) await room.close();
    }
  },
};

async function openRooms(stage: Stage): Promise<Record<Name, ClaimRoom>> {
  const rooms: [Name, ClaimRoom][] = [];
  for (const name of NAMES) rooms.push([name, await openClaimRoom(stage)]);
  return Object.fromEntries(rooms) as Record<Name, ClaimRoom>;
}

/** Fills the tables; two of them in steps, measuring after each. */
async function fillRooms(
  stage: Stage,
  rooms: Record<Name, ClaimRoom>,
  { rows, jobs }: { rows: number; jobs: number },
): Promise<Line[]> {
  const grow = async (name: Name & Content): Promise<Line> => {
    const points = [];
    let held = 0;
    for (const size of [rows / 1_000, rows / 100, rows / 10, rows]) {
      await addRows(rooms[name].db, name, size - held);
      held = size;
      await rooms[name].add(jobs);
      points.push({ x: size, y: await rooms[name].run(jobs) });
    }
    return { says: name, points };
  };
  const lines = [await grow("finished"), await grow("queued")];
  await addRows(rooms.scheduled.db, "scheduled", rows);
  await addLines(rooms["behind threads"].db, 100, rows / 5);
  await addRows(rooms["queued at once"].db, "queued", rows / 10);
  stage.say("  tables are filled");
  return lines;
}

function toFigures(samples: Record<Name, number[]>, rows: number): Figure[] {
  const empty = median(samples.empty);
  const others = NAMES.filter((name) => name !== "empty");
  const held: Partial<Record<Name, number>> = { "behind threads": rows / 5, "queued at once": rows / 10 };
  return [
    { key: "claim_empty", says: "claim and complete 100, empty table", value: empty, unit: "jobs/s" },
    ...others.map((name) => ({
      key: `claim_${name.replaceAll(" ", "_")}`,
      says: `… with ${(held[name] ?? rows).toLocaleString("en")} ${name} / empty`,
      value: median(samples[name]) / empty,
      unit: "×",
    })),
    {
      key: "claim_flatness_min",
      says: "claim: worst of these / empty",
      value: Math.min(...others.map((name) => median(samples[name]) / empty)),
      unit: "×",
      target: atLeast(0.8),
    },
  ];
}
