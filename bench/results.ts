import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { BenchmarkResult } from "./benchmark.ts";
import { draw } from "./plot.ts";
import { verdict } from "./report.ts";

const PACKAGES = [
  ["bench/peers", "graphile-worker"],
  ["bench/peers", "pg-boss"],
  [".", "fastify"],
  [".", "@langchain/langgraph"],
] as const;
const GIGABYTE = 1024 ** 3;

/** A path in the source folder; this module runs from `dist/bench`. */
const pathOf = (name: string) => fileURLToPath(new URL(`../../bench/${name}`, import.meta.url));

function versionOf(folder: string, name: string): string {
  const file = new URL(`../../${folder}/node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** Writes `results.json` (the machine and every sample) and the plots; returns the names of the files. */
export function writeResults(
  results: ReadonlyMap<string, BenchmarkResult>,
  run: { postgres: string; quick: boolean; seconds: number },
): string[] {
  const { postgres, quick, seconds } = run;
  const figures = [...results.values()].flatMap((result) => result.figures);
  const report = {
    measuredAt: new Date().toISOString(),
    quick,
    seconds,
    machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, ramGb: Math.round(totalmem() / GIGABYTE) },
    versions: {
      node: process.versions.node,
      postgres,
      ...Object.fromEntries(PACKAGES.map(([folder, name]) => [name, versionOf(folder, name)])),
    },
    ratios: Object.fromEntries(figures.map(({ key, value }) => [key, round(value)])),
    targets: Object.fromEntries(
      figures.flatMap((figure) =>
        figure.target ? [[figure.key, { ...figure.target, verdict: verdict(figure) }]] : [],
      ),
    ),
    benchmarks: Object.fromEntries(
      [...results].map(([name, { settings, samples }]) => [name, { settings, samples: roundAll(samples) }]),
    ),
  };
  mkdirSync(pathOf("plots"), { recursive: true });
  writeFileSync(pathOf("results.json"), `${JSON.stringify(report, null, 1)}\n`);
  const plots = [...results.values()].flatMap((result) => result.plots ?? []);
  for (const plot of plots) writeFileSync(pathOf(`plots/${plot.name}.svg`), draw(plot));
  return ["bench/results.json", ...plots.map((plot) => `bench/plots/${plot.name}.svg`)];
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

function roundAll(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, part: unknown) => (typeof part === "number" ? round(part) : part)));
}
