import postgres from "postgres";
import { atLeast } from "../benchmark.ts";
import type { Benchmark, Stage } from "../benchmark.ts";
import { openClaimRoom } from "../claim-loop.ts";
import { inTurn } from "../rounds.ts";
import { median } from "../statistics.ts";

/** Claiming and completing while another session keeps a snapshot open, so that nothing dead can be cleared away. */
export const heldSnapshot: Benchmark = {
  name: "held-snapshot",
  async run(stage) {
    const settings = { jobs: stage.quick ? 10_000 : 50_000, rounds: stage.quick ? 1 : 2 };
    const { jobs, rounds } = settings;
    const samples = await inTurn(
      { free: async () => measure(stage, jobs, false), held: async () => measure(stage, jobs, true) },
      rounds,
      (name, rate) => stage.say(`  ${name}: ${Math.round(rate)} jobs/s`),
    );
    const [free, held] = [median(samples.free), median(samples.held)];
    return {
      settings,
      samples,
      figures: [
        {
          key: "claim_held_snapshot",
          says: "claim with a snapshot held open / without",
          value: held / free,
          unit: "×",
          target: atLeast(0.5),
        },
      ],
    };
  },
};

async function measure(stage: Stage, jobs: number, held: boolean): Promise<number> {
  const room = await openClaimRoom(stage);
  const other = postgres(room.url, { max: 1, onnotice: () => undefined });
  try {
    await room.add(jobs);
    if (!held) return await room.run(jobs);
    return await other.begin("isolation level repeatable read", async (tx) => {
      await tx`select count(*) from jobs`;
      return room.run(jobs);
    });
  } finally {
    await other.end();
    await room.close();
  }
}
