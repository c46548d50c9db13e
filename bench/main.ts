import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startEmbeddedPostgres } from "#db";
import type { BenchContext, BenchmarkResult } from "./benchmark.ts";
import { BENCHMARKS } from "./registry.ts";
import { table } from "./report.ts";
import { writeResults } from "./results.ts";
import { BenchDatabases } from "./databases.ts";

const log = (line: string) => process.stdout.write(`${line}\n`);
const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    quick: { type: "boolean", default: false },
    list: { type: "boolean" },
  },
});
if (values.list) {
  for (const { name } of BENCHMARKS) log(name);
  process.exit(0);
}
const names = BENCHMARKS.map((benchmark) => benchmark.name);
const unknown = values.only?.find((name) => !names.includes(name));
if (unknown !== undefined) {
  process.stderr.write(`--only ${unknown}: there is no such benchmark, use ${names.join(", ")}\n`);
  process.exit(2);
}

const startedAt = performance.now();
const dataDir = mkdtempSync(join(tmpdir(), "threadmill-bench-"));
const server = await startEmbeddedPostgres({ dataDir });
// The server outlives its parent. An interrupted run cannot wait for a shutdown, so it kills the server.
const killServer = () => {
  process.kill(Number(readFileSync(join(dataDir, "postgres/postmaster.pid"), "utf8").split("\n", 1)[0]), "SIGQUIT");
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
};
process.once("exit", killServer);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

const databases = new BenchDatabases(server.url);
const context: BenchContext = {
  quick: values.quick,
  createDatabase: async (system) => databases.create(system),
  settle: async () => databases.settle(),
  serverLog: join(dataDir, "postgres.log"),
  log,
};
await databases.prepare();
const results = new Map<string, BenchmarkResult>();
let files: string[] = [];
for (const { name, run } of BENCHMARKS) {
  if (values.only && !values.only.includes(name)) continue;
  log(`${name}: after ${Math.round((performance.now() - startedAt) / 1_000)} s`);
  results.set(name, await run(context));
  // After each benchmark: an interrupted run keeps its measurements.
  files = writeResults(results, {
    postgres: await databases.version(),
    quick: values.quick,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  });
}
log(`\n${table([...results.values()].flatMap(({ figures }) => figures))}\n`);
log(`written: ${files.join(", ")}`);
await databases.close();
process.off("exit", killServer);
await server.stop();
rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
process.exit(0);
