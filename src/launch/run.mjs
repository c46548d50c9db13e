// The entry of npm's scripts: installs and builds what is missing or stale, then runs one of the product's processes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const mains = {
  start: "launch/main.js",
  server: "server/main.js",
  worker: "worker/main.js",
  migrate: "launch/migrate-main.js",
  build: null,
};
const STAMP = join(root, "dist/.stamp");

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node.js ${process.versions.node} is too old: install 20.19 or newer`);
const name = process.argv[2] ?? "start";
if (!(name in mains)) fail(`unknown command ${name}: use ${Object.keys(mains).join(", ")}`);
install();
build();
if (mains[name]) await import(join(root, "dist", mains[name]));

function install() {
  const mark = join(root, "node_modules/.package-lock.json");
  const stale = !existsSync(mark) || statSync(mark).mtimeMs < statSync(join(root, "package-lock.json")).mtimeMs - 1000;
  if (stale) run("npm", ["install", "--no-audit", "--no-fund"], "npm install failed: see above");
}

function build() {
  const stamp = fingerprint();
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === stamp) return;
  run(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"],
    "the build failed: see above",
  );
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
  const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
  for (const path of [
    ...paths,
    ...["package-lock.json", "tsconfig.json", "tsconfig.build.json", "vite.config.ts"].map((file) => join(root, file)),
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
