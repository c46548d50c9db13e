import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startEmbeddedPostgres } from "#db";
import type { Outcome, Stage } from "./benchmark.ts";
import { BENCHMARKS } from "./registry.ts";
import { table } from "./report.ts";
import { writeResults } from "./results.ts";
import { Rooms } from "./rooms.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);
const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    quick: { type: "boolean", default: false },
    list: { type: "boolean" },
  },
});
if (values.list) {
  for (const { name } of BENCHMARKS) say(name);
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
// The server outlives its parent, so a run that is interrupted must end it too, with no time to wait for anything.
const abandon = () => {
  process.kill(Number(readFileSync(join(dataDir, "postgres/postmaster.pid"), "utf8").split("\n", 1)[0]), "SIGQUIT");
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
};
process.once("exit", abandon);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

const rooms = new Rooms(server.url);
const stage: Stage = {
  quick: values.quick,
  room: async (system) => rooms.make(system),
  settle: async () => rooms.settle(),
  log: join(dataDir, "postgres.log"),
  say,
};
await rooms.prepare();
const outcomes = new Map<string, Outcome>();
let files: string[] = [];
for (const { name, run } of BENCHMARKS) {
  if (values.only && !values.only.includes(name)) continue;
  say(`${name}: at ${Math.round((performance.now() - startedAt) / 1_000)} s`);
  outcomes.set(name, await run(stage));
  // After each, so that a run that is interrupted leaves what it has measured.
  files = writeResults(outcomes, {
    postgres: await rooms.version(),
    quick: values.quick,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  });
}
say(`\n${table([...outcomes.values()].flatMap(({ figures }) => figures))}\n`);
say(`written: ${files.join(", ")}`);
await rooms.close();
process.off("exit", abandon);
await server.stop();
rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
process.exit(0);
