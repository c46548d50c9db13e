// `npm test`: installs what is missing, runs every check and test, and ends with the totals.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const FORCE_AFTER_MS = 15_000;
const CHECKS = [
  ["types", "types"],
  ["lint", "lint"],
  ["dead code", "deadcode"],
  ["format", "format:check"],
];

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
const scratch = mkdtempSync(join(tmpdir(), "threadmill-results-"));
const totals = { passed: 0, failed: 0 };
let running;
let stopped = false;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop(signal));
if (await install()) {
  for (const [name, script] of CHECKS) await step(name, async () => checkOnce(script));
  for (const project of ["unit", "database"]) await step(`${project} tests`, async () => vitest(project));
  await step("compatibility tests", compatibility);
  await step("process tests", async () => vitest("process"));
  if (existsSync("playwright.config.ts")) await step("browser tests", playwright);
} else {
  console.error("npm install failed: see above");
  totals.failed += 1;
}
rmSync(scratch, { recursive: true, force: true });
console.log(`tests: ${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed === 0 ? 0 : 1);

/** Runs one step and adds its counts. A step that fails without a failed test counts as one failure. */
async function step(name, work) {
  if (stopped) return;
  console.log(`\n== ${name}`);
  const startedAt = performance.now();
  const result = await work().catch((error) => {
    console.error(error instanceof Error ? error.message : error);
    return { ok: false, passed: 0, failed: 0 };
  });
  const failed = result.ok ? result.failed : Math.max(result.failed, 1);
  totals.passed += result.passed;
  totals.failed += failed;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`== ${name}: ${result.passed} passed, ${failed} failed, ${seconds} s`);
}

async function checkOnce(script) {
  const ok = await run("npm", ["run", "-s", script]);
  return { ok, passed: ok ? 1 : 0, failed: 0 };
}

async function vitest(project) {
  const file = join(scratch, `${project}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const ok = await run("node_modules/.bin/vitest", ["run", "--project", project, "--passWithNoTests", ...reporters]);
  const report = readReport(file);
  return { ok, passed: report.numPassedTests, failed: report.numFailedTests };
}

/** Runs part of the tests on the system's PostgreSQL, which is older than the embedded one and has other defaults. */
async function compatibility() {
  const { findOrInstallPostgres } = await import("./find-postgres.mjs");
  if (findOrInstallPostgres() !== undefined) return vitest("compatibility");
  console.log("skipped: no PostgreSQL in /usr/lib/postgresql (Debian: apt-get install postgresql-15; CI installs it)");
  return { ok: true, passed: 0, failed: 0 };
}

async function playwright() {
  const { findChromium } = await import("./find-chromium.mjs");
  const file = join(scratch, "browser.json");
  const env = { THREADMILL_CHROMIUM: await findChromium(), PLAYWRIGHT_JSON_OUTPUT_NAME: file };
  const ok = await run("node_modules/.bin/playwright", ["test", "--reporter=list,json"], env);
  const { stats } = readReport(file);
  return { ok, passed: stats.expected + stats.flaky, failed: stats.unexpected };
}

function readReport(file) {
  if (!existsSync(file)) throw new Error("the step ended without a report: see above");
  return JSON.parse(readFileSync(file, "utf8"));
}

/** Installs unless npm's record of installed packages matches the lock file. */
async function install() {
  const record = "node_modules/.package-lock.json";
  const { packages: wanted } = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const { packages: found } = existsSync(record) ? JSON.parse(readFileSync(record, "utf8")) : { packages: {} };
  const isInstalled = ([path, { version, optional }]) =>
    path === "" || optional === true || found[path]?.version === version;
  if (Object.entries(wanted).every(isInstalled)) return true;
  return run("npm", ["install", "--no-audit", "--no-fund"]);
}

/** Runs a command in a new process group, so that its children can be ended too; true when it exits with 0. */
async function run(command, args, env = {}) {
  running = spawn(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env },
    detached: true,
  });
  return new Promise((resolve) => {
    running.once("error", (error) => {
      console.error(`${command} could not be started: ${error.message}`);
      resolve(false);
    });
    running.once("exit", (code) => resolve(code === 0));
  });
}

/** Passes the signal on and kills the step after a delay. The run still prints its totals, with one more failure. */
function stop(signal) {
  const again = stopped;
  stopped = true;
  totals.failed += again ? 0 : 1;
  end(again ? "SIGKILL" : signal);
  setTimeout(() => end("SIGKILL"), FORCE_AFTER_MS).unref();
}

function end(signal) {
  try {
    if (running?.pid) process.kill(-running.pid, signal);
  } catch {
    // The process has already ended.
  }
}
