// `npm run bench`: builds what is stale, bundles the benchmarks beside the product, and runs them on what is shipped.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = spawnSync(process.execPath, [join(root, "src/launch/run.mjs"), "build"], { cwd: root, stdio: "inherit" });
if (built.status !== 0) process.exit(1);
const { build } = await import("esbuild");
const children = readdirSync(join(root, "bench")).filter((file) => file.endsWith("-child.ts"));
await build({
  absWorkingDir: root,
  entryPoints: ["bench/main.ts", ...children.map((file) => `bench/${file}`)],
  outdir: "dist/bench",
  bundle: true,
  // A process loads only the system that it runs.
  splitting: true,
  platform: "node",
  format: "esm",
  packages: "external",
  external: ["#*"],
  logLevel: "warning",
});
await import(join(root, "dist/bench/main.js"));
