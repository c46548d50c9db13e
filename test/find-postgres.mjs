import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const ROOT = "/usr/lib/postgresql";
/** The oldest that Threadmill runs on. */
const PREFERRED = "15";
const NO_CLUSTER = "/etc/postgresql-common/createcluster.d/threadmill-tests.conf";

/** The folder of the system's PostgreSQL binaries, as Debian packages them: of 15, else of the newest; or undefined. */
export function findPostgres() {
  const versions = (existsSync(ROOT) ? readdirSync(ROOT) : [])
    .filter((version) => Number(version) >= Number(PREFERRED) && existsSync(`${ROOT}/${version}/bin/initdb`))
    .sort((one, other) => Number(other) - Number(one));
  const version = versions.includes(PREFERRED) ? PREFERRED : versions[0];
  return version === undefined ? undefined : `${ROOT}/${version}/bin`;
}

/**
 * The same, which is installed where it is missing and this is a CI machine of which we are root; undefined elsewhere.
 * Throws an Error of one line that says what to do when that fails.
 */
export function findOrInstallPostgres() {
  const found = findPostgres();
  const isOurMachine = process.env.CI === "true" && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (found || !isOurMachine) return found;
  console.log("the system has no PostgreSQL: installing one");
  if (!existsSync(NO_CLUSTER)) {
    // Without this, Debian would also create a database of its own and start it on port 5432.
    mkdirSync("/etc/postgresql-common/createcluster.d", { recursive: true });
    writeFileSync(NO_CLUSTER, "create_main_cluster = false\n");
  }
  apt("update");
  if (!apt("install", "-y", "--no-install-recommends", `postgresql-${PREFERRED}`))
    apt("install", "-y", "--no-install-recommends", "postgresql");
  rmSync(NO_CLUSTER, { force: true });
  const installed = findPostgres();
  if (installed) return installed;
  throw new Error(`the system's PostgreSQL could not be installed: run apt-get install postgresql-${PREFERRED}`);
}

const apt = (...args) =>
  spawnSync("apt-get", args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  }).status === 0;
