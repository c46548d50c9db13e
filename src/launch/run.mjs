// The entry of npm's scripts: installs packages and builds if either is missing or stale, then runs one process.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { flattenRouterType } from "./flatten-router-type.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** The main module of each command. `dev` runs the sources instead, and `build` only builds. */
const mains = {
  start: "launch/main.js",
  server: "server/main.js",
  worker: "worker/main.js",
  migrate: "launch/migrate-main.js",
  dev: null,
  build: null,
};
const STAMP = join(root, "dist/.stamp");
const SHELL_POLL_MS = 500;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node.js ${process.versions.node} is too old: install 20.19 or newer`);
const name = process.argv[2] ?? "start";
if (!(name in mains)) fail(`unknown command ${name}: use ${Object.keys(mains).join(", ")}`);
followShell();
install();
if (name !== "dev") build();
// Variables that are already set override the file.
if (existsSync(join(root, ".env"))) process.loadEnvFile(join(root, ".env"));
if (name === "dev") await runSources();
else if (mains[name]) await import(pathToFileURL(join(root, "dist", mains[name])).href);

/**
 * npm sends SIGTERM to the shell that runs the script, and dash dies without forwarding it. So this process sends
 * itself SIGTERM when the shell has died, unless it received a signal directly, such as one to the whole group.
 */
function followShell() {
  if (process.env.npm_lifecycle_event === undefined || process.platform === "win32") return;
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, SHELL_POLL_MS);
  timer.unref();
  // Adds its own listener only beside another: alone, it would keep Ctrl-C from ending the install or build.
  const unseen = new Set(["SIGINT", "SIGTERM", "SIGHUP"]);
  process.on("newListener", (event) => {
    if (unseen.delete(event)) process.once(event, () => clearInterval(timer));
  });
}

function install() {
  const mark = join(root, "node_modules/.package-lock.json");
  const wantedMs = Math.max(...["package.json", "package-lock.json"].map((file) => statSync(join(root, file)).mtimeMs));
  // A checkout writes its files in any order, so their times may differ by a second.
  if (existsSync(mark) && statSync(mark).mtimeMs >= wantedMs - 1000) return;
  // Prefers the npm that runs this script.
  const cli = process.env.npm_execpath?.endsWith("npm-cli.js") ? [process.env.npm_execpath] : [];
  const args = [...cli, "install", "--include=dev", "--no-audit", "--no-fund"];
  run(cli.length > 0 ? process.execPath : "npm", args, "npm install failed: see above");
  // npm does not touch the mark when nothing was missing.
  utimesSync(mark, new Date(), new Date());
}

/** Runs the launcher from its sources, with `#…` imports resolved to sources as well. */
async function runSources() {
  const { register } = await import("tsx/esm/api");
  register();
  await import(pathToFileURL(join(root, "src/launch/dev-main.ts")).href);
}

function build() {
  const stamp = fingerprint();
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === stamp) return;
  rmSync(STAMP, { force: true });
  for (const project of ["tsconfig.build.json", "tsconfig.router.json"])
    runTool("typescript/bin/tsc", ["-p", project], "the build failed: see above");
  flattenRouterType(join(root, "dist"));
  runTool("vite/bin/vite.js", ["build", "--logLevel", "warn"], "the page's build failed: see above");
  mkdirSync(join(root, "dist"), { recursive: true });
  writeFileSync(STAMP, stamp);
}

function fingerprint() {
  const hash = createHash("sha256");
  const files = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const sources = files.map((file) => join(file.parentPath, file.name)).sort();
  const settings = [
    "package-lock.json",
    "tsconfig.json",
    "tsconfig.build.json",
    "tsconfig.router.json",
    "vite.config.ts",
  ];
  for (const path of [...sources, ...settings.map((file) => join(root, file))])
    if (existsSync(path)) hash.update(path).update(readFileSync(path));
  return hash.digest("hex");
}

function runTool(path, args, message) {
  run(process.execPath, [join(root, "node_modules", path), ...args], message);
}

function run(command, args, message) {
  if (spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] }).status !== 0) fail(message);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
