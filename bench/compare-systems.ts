import { SYSTEMS } from "./benchmark.ts";
import type { BenchContext, SystemName } from "./benchmark.ts";
import { interleave } from "./interleave.ts";
import { median } from "./statistics.ts";

export interface Comparison {
  /** Jobs a second, by system. */
  samples: Record<SystemName, number[]>;
  medians: Record<SystemName, number>;
}

/** Measures the jobs a second of each system, interleaved. */
export async function compareSystems(
  context: BenchContext,
  rounds: number,
  measure: (system: SystemName) => Promise<number>,
): Promise<Comparison> {
  const cases = Object.fromEntries(SYSTEMS.map((system) => [system, async () => measure(system)]));
  const samples = await interleave(cases as Record<SystemName, () => Promise<number>>, rounds, (system, rate) =>
    context.log(`  ${system}: ${Math.round(rate)} jobs/s`),
  );
  const { threadmill, graphile, pgboss } = samples;
  return {
    samples,
    medians: { threadmill: median(threadmill), graphile: median(graphile), pgboss: median(pgboss) },
  };
}
