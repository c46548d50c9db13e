import postgres from "postgres";
import { atLeast } from "../benchmark.ts";
import type { Benchmark, BenchContext } from "../benchmark.ts";
import { openClaimLoop } from "../claim-loop.ts";
import { interleave } from "../interleave.ts";
import { median } from "../statistics.ts";

/** Claims and completes while another session holds a snapshot open, so that dead rows cannot be pruned. */
export const heldSnapshot: Benchmark = {
  name: "held-snapshot",
  async run(context) {
    const settings = { jobs: context.quick ? 10_000 : 50_000, rounds: context.quick ? 1 : 2 };
    const { jobs, rounds } = settings;
    const samples = await interleave(
      { free: async () => measure(context, jobs, false), held: async () => measure(context, jobs, true) },
      rounds,
      (name, rate) => context.log(`  ${name}: ${Math.round(rate)} jobs/s`),
    );
    const [free, held] = [median(samples.free), median(samples.held)];
    return {
      settings,
      samples,
      figures: [
        {
          key: "claim_held_snapshot",
          label: "claim with a snapshot held open / without",
          value: held / free,
          unit: "×",
          target: atLeast(0.5),
        },
      ],
    };
  },
};

async function measure(context: BenchContext, jobs: number, held: boolean): Promise<number> {
  const loop = await openClaimLoop(context);
  const other = postgres(loop.url, { max: 1, onnotice: () => undefined });
  try {
    await loop.add(jobs);
    if (!held) return await loop.run(jobs);
    return await other.begin("isolation level repeatable read", async (tx) => {
      await tx`select count(*) from jobs`;
      return loop.run(jobs);
    });
  } finally {
    await other.end();
    await loop.close();
  }
}
