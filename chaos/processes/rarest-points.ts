import { readFileSync } from "node:fs";
import type { FaultPoint } from "#fault";

/** Which fault points end a process, as `src/fault/armed.ts` reads it. */
export interface FaultPlan {
  points: readonly FaultPoint[];
  afterCpuMs: number;
  log: string;
}

/** Leaves of a plan the points that have ended the fewest until now. */
export function onlyRarest({ points, afterCpuMs, log }: FaultPlan): FaultPlan {
  return { points: points.length === 0 ? [] : rarestOf(countNames(log, points)), afterCpuMs, log };
}

/** How often each name stands in a file that has one name on each line. */
export function countNames<Name extends string>(file: string, names: readonly Name[]): Record<Name, number> {
  const found = readFileSync(file, "utf8").split("\n");
  return Object.fromEntries(names.map((name) => [name, found.filter((line) => line === name).length])) as Record<
    Name,
    number
  >;
}

/** The points that have ended the fewest processes. The others stay out of it: a process would reach these first. */
export function rarestOf<Name extends string>(counts: Record<Name, number>): Name[] {
  const names = Object.keys(counts) as Name[];
  const fewest = Math.min(...names.map((name) => counts[name]));
  return names.filter((name) => counts[name] === fewest);
}
