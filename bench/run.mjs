// `npm run bench`: builds the product, installs the peers, bundles the benchmarks and runs them against the build.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = spawnSync(process.execPath, [join(root, "src/launch/run.mjs"), "build"], { cwd: root, stdio: "inherit" });
if (built.status !== 0) process.exit(1);
const peers = join(root, "bench/peers");
const record = join(peers, "node_modules/.package-lock.json");
const wanted = Object.entries(JSON.parse(readFileSync(join(peers, "package-lock.json"), "utf8")).packages);
const found = existsSync(record) ? JSON.parse(readFileSync(record, "utf8")).packages : {};
if (!wanted.every(([path, { version }]) => path === "" || found[path]?.version === version)) {
  if (spawnSync("npm", ["ci"], { cwd: peers, stdio: ["ignore", 2, 2] }).status !== 0) process.exit(1);
}
// The bundles resolve the peers' packages first, then Threadmill's.
mkdirSync(join(root, "dist/bench"), { recursive: true });
rmSync(join(root, "dist/bench/node_modules"), { force: true });
symlinkSync(join(peers, "node_modules"), join(root, "dist/bench/node_modules"));
const { build } = await import("esbuild");
const children = readdirSync(join(root, "bench")).filter((file) => file.endsWith("-child.ts"));
await build({
  absWorkingDir: root,
  entryPoints: ["bench/main.ts", ...children.map((file) => `bench/${file}`)],
  outdir: "dist/bench",
  bundle: true,
  // Splitting: a process loads only the system that it runs.
  splitting: true,
  platform: "node",
  format: "esm",
  packages: "external",
  external: ["#*"],
  logLevel: "warning",
});
await import(join(root, "dist/bench/main.js"));
