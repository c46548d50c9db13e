// `npm run chaos`: builds what is stale, bundles the crash tests beside the product, and runs them.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = spawnSync(process.execPath, [join(root, "src/launch/run.mjs"), "build"], { cwd: root, stdio: "inherit" });
if (built.status !== 0) process.exit(1);
const { build } = await import("esbuild");
await build({
  absWorkingDir: root,
  entryPoints: ["chaos/main.ts", "chaos/worker-main.ts"],
  outdir: "dist/chaos",
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  external: ["#*"],
  logLevel: "warning",
});
await import(join(root, "dist/chaos/main.js"));
