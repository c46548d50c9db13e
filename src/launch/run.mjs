// The entry of npm's scripts: installs and builds what is missing or stale, then runs one of the product's processes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { flattenRouterType } from "./flatten-router-type.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** What to run after the build, by the command's name; `dev` runs the sources, `build` nothing. */
const mains = {
  start: "launch/main.js",
  server: "server/main.js",
  worker: "worker/main.js",
  migrate: "launch/migrate-main.js",
  dev: null,
  build: null,
};
const STAMP = join(root, "dist/.stamp");
const SHELL_LOOK_MS = 500;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node.js ${process.versions.node} is too old: install 20.19 or newer`);
const name = process.argv[2] ?? "start";
if (!(name in mains)) fail(`unknown command ${name}: use ${Object.keys(mains).join(", ")}`);
followShell();
install();
if (name !== "dev") build();
// Variables that are set already win over the file's.
if (existsSync(join(root, ".env"))) process.loadEnvFile(join(root, ".env"));
if (name === "dev") await runSources();
else if (mains[name]) await import(pathToFileURL(join(root, "dist", mains[name])).href);

/**
 * npm sends SIGTERM to the shell that runs the script, and dash dies of it without passing it on. When the shell has
 * died, this process gets the SIGTERM; unless it had a signal of its own, as from one that was sent to the whole group.
 */
function followShell() {
  if (process.env.npm_lifecycle_event === undefined || process.platform === "win32") return;
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, SHELL_LOOK_MS);
  timer.unref();
  // A listener here before there are others would keep Ctrl-C from ending a start that is under way.
  const unheard = new Set(["SIGINT", "SIGTERM", "SIGHUP"]);
  process.on("newListener", (event) => {
    if (unheard.delete(event)) process.once(event, () => clearInterval(timer));
  });
}

function install() {
  const mark = join(root, "node_modules/.package-lock.json");
  const wantedMs = Math.max(...["package.json", "package-lock.json"].map((file) => statSync(join(root, file)).mtimeMs));
  // A checkout writes its files in any order, so that a second does not count.
  if (existsSync(mark) && statSync(mark).mtimeMs >= wantedMs - 1000) return;
  // The npm that runs this script, where one does.
  const npm = process.env.npm_execpath?.endsWith("npm-cli.js") ? [process.execPath, process.env.npm_execpath] : ["npm"];
  run(
    npm[0],
    [...npm.slice(1), "install", "--include=dev", "--no-audit", "--no-fund"],
    "npm install failed: see above",
  );
  // npm leaves its mark alone when nothing was missing.
  utimesSync(mark, new Date(), new Date());
}

/** Faces resolve to sources, here and in every process that the launcher starts. */
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
    run(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), "-p", project],
      "the build failed: see above",
    );
  flattenRouterType(join(root, "dist"));
  run(
    process.execPath,
    [join(root, "node_modules/vite/bin/vite.js"), "build", "--logLevel", "warn"],
    "the page's build failed: see above",
  );
  mkdirSync(join(root, "dist"), { recursive: true });
  writeFileSync(STAMP, stamp);
}

function fingerprint() {
  const hash = createHash("sha256");
  const files = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  for (const path of [
    ...paths,
    ...["package-lock.json", "tsconfig.json", "tsconfig.build.json", "tsconfig.router.json", "vite.config.ts"].map(
      (file) => join(root, file),
    ),
  ]) {
    if (existsSync(path)) hash.update(path).update(readFileSync(path));
  }
  return hash.digest("hex");
}

function run(command, args, message) {
  if (spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] }).status !== 0) fail(message);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
