import { readFileSync } from "node:fs";
import type { FaultPoint } from "#fault";

/** The fault points that end a process, in the format of `src/fault/armed.ts`. */
export interface FaultPlan {
  points: readonly FaultPoint[];
  afterCpuMs: number;
  log: string;
}

/** Reduces a plan to the points with the fewest deaths so far. */
export function keepRarest({ points, afterCpuMs, log }: FaultPlan): FaultPlan {
  return { points: points.length === 0 ? [] : rarestOf(countNames(log, points)), afterCpuMs, log };
}

/** Counts each name in a file with one name per line. */
export function countNames<Name extends string>(file: string, names: readonly Name[]): Record<Name, number> {
  const lines = readFileSync(file, "utf8").split("\n");
  return Object.fromEntries(names.map((name) => [name, lines.filter((line) => line === name).length])) as Record<
    Name,
    number
  >;
}

/** The points with the fewest deaths. The others are left out, because a process would reach them first. */
export function rarestOf<Name extends string>(counts: Record<Name, number>): Name[] {
  const names = Object.keys(counts) as Name[];
  const fewest = Math.min(...names.map((name) => counts[name]));
  return names.filter((name) => counts[name] === fewest);
}
