// `npm run chaos`: builds what is stale, bundles the crash tests beside the product, and runs them.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = spawnSync(process.execPath, [join(root, "src/launch/run.mjs"), "build"], { cwd: root, stdio: "inherit" });
if (built.status !== 0) process.exit(1);
const { build, stop } = await import("esbuild");
const outdir = "dist/chaos";
const options = { absWorkingDir: root, outdir, bundle: true, platform: "node", format: "esm", logLevel: "warning" };
await build({ ...options, entryPoints: ["chaos/main.ts"], packages: "external", external: ["#*"] });
// Workers are started by the thousand: one file of nearly everything loads in half the time. The driver stays a file of
// its own, for the product knows its faults by where they are thrown.
await build({
  ...options,
  entryPoints: {
    "api-main": "dist/server/main.js",
    "worker-main": "chaos/worker-main.ts",
    "quarantine-main": "chaos/quarantine-main.ts",
    "heartbeat/main": "dist/worker/heartbeat/main.js",
  },
  conditions: ["chaos"],
  external: ["postgres"],
  minify: true,
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
});
await stop();
await import(join(root, outdir, "main.js"));
