// `npm run bench`: builds what is stale and measures that build, as it is shipped; only bench/ itself runs from sources.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { register } from "tsx/esm/api";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = spawnSync(process.execPath, [join(root, "src/launch/run.mjs"), "build"], { cwd: root, stdio: "inherit" });
if (built.status !== 0) process.exit(1);
register();
await import("./main.ts");
