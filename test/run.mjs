// `npm test`: installs what is missing, runs every check and test, and ends with the totals.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
const scratch = mkdtempSync(join(tmpdir(), "threadmill-results-"));
let passed = 0;
let failed = 0;

const run = (command, args) => spawnSync(command, args, { stdio: "inherit" }).status === 0;
const count = (ok) => (ok ? (passed += 1) : (failed += 1));

if (!existsSync("node_modules/.package-lock.json") && !run("npm", ["install", "--no-audit", "--no-fund"])) {
  console.error("npm install failed: see above");
  process.exit(1);
}
for (const [name, script] of [["types", "types"]]) {
  console.log(`\n== ${name}`);
  count(run("npm", ["run", "-s", script]));
}
for (const project of ["unit", "database"]) {
  console.log(`\n== ${project} tests`);
  const file = join(scratch, `${project}.json`);
  const ok = run("node_modules/.bin/vitest", [
    "run",
    "--project",
    project,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
  ]);
  const report = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { numPassedTests: 0, numFailedTests: 0 };
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  if (!ok && report.numFailedTests === 0) failed += 1;
}
rmSync(scratch, { recursive: true, force: true });
console.log(`tests: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
