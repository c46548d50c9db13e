import { Database } from "#db";
import { atLeast } from "../benchmark.ts";
import type { Benchmark, BenchContext } from "../benchmark.ts";
import { addMixed, FILL_LIMIT_MS, vacuum } from "../fill-table.ts";
import { drain } from "../drain.ts";
import { interleave } from "../interleave.ts";
import { median } from "../statistics.ts";

/** A worker's throughput with many owners and priorities, beside one owner and one priority. */
export const fairness: Benchmark = {
  name: "fairness",
  async run(context) {
    const settings = {
      jobs: context.quick ? 10_000 : 30_000,
      inFlight: 500,
      rounds: context.quick ? 2 : 3,
      owners: 100,
      priorities: 5,
    };
    const { owners, priorities, rounds } = settings;
    const samples = await interleave(
      {
        on: async () => measure(context, { ...settings, owners, priorities }),
        off: async () => measure(context, { ...settings, owners: 1, priorities: 1 }),
      },
      rounds,
      (name, rate) => context.log(`  ${name}: ${Math.round(rate)} jobs/s`),
    );
    return {
      settings,
      samples,
      figures: [
        {
          key: "limits_on_vs_off",
          label: "100 owners and 5 priorities / one of each",
          value: median(samples.on) / median(samples.off),
          unit: "×",
          target: atLeast(0.85),
        },
      ],
    };
  },
};

interface Load {
  jobs: number;
  inFlight: number;
  owners: number;
  priorities: number;
}

async function measure(context: BenchContext, { jobs, inFlight, owners, priorities }: Load): Promise<number> {
  return drain(context, {
    system: "threadmill",
    mode: "fast",
    jobs,
    inFlight,
    async fill(_system, url) {
      const db = new Database({ url, maxConnections: 1, deadlineMs: FILL_LIMIT_MS });
      await addMixed(db, { count: jobs, owners, priorities });
      await vacuum(db);
      await db.close();
    },
  });
}
