// `npm run chaos`: builds the product, bundles it with the crash test, and runs the test. `--mutant NAME` plants a bug in
// the bundles; the checker must find it.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTANTS, plant } from "./mutants.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = process.argv.indexOf("--mutant");
const name = at === -1 ? undefined : process.argv[at + 1];
const mutant = MUTANTS[name];
if (at !== -1 && !mutant) {
  console.error(`--mutant must be one of ${Object.keys(MUTANTS).join(", ")}`);
  process.exit(2);
}
const built = spawnSync(process.execPath, [join(root, "src/launch/run.mjs"), "build"], { cwd: root, stdio: "inherit" });
if (built.status !== 0) process.exit(1);
const { build, stop } = await import("esbuild");
const outdir = mutant ? `dist/chaos-${name}` : "dist/chaos";
const options = { absWorkingDir: root, outdir, bundle: true, platform: "node", format: "esm", logLevel: "warning" };
await build({ ...options, entryPoints: ["chaos/main.ts"], packages: "external", external: ["#*"] });
const planted = mutant && plant(mutant);
// A run starts thousands of workers, and a single file loads in half the time. The driver postgres.js stays external,
// because the product recognizes the driver's errors by the file in their stack.
await build({
  ...options,
  entryPoints: {
    "api-main": "dist/server/main.js",
    "worker-main": "chaos/processes/worker-main.ts",
    "quarantine-main": "chaos/processes/quarantine-main.ts",
    "heartbeat-thread": "dist/worker/lease/heartbeat-thread.js",
  },
  conditions: ["chaos"],
  external: ["postgres"],
  minify: true,
  plugins: planted ? [planted.plugin] : [],
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
});
planted?.check();
await stop();
if (mutant) console.log(`mutant ${name}: it ${mutant.bug}`);
await import(join(root, outdir, "main.js"));
