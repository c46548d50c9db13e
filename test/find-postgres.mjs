import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const ROOT = "/usr/lib/postgresql";
/** The oldest version that Threadmill supports. */
const PREFERRED = "15";
const NO_CLUSTER = "/etc/postgresql-common/createcluster.d/threadmill-tests.conf";

/** The folder of Debian's PostgreSQL binaries: version 15, else the newest; or undefined. */
export function findPostgres() {
  const versions = (existsSync(ROOT) ? readdirSync(ROOT) : [])
    .filter((version) => Number(version) >= Number(PREFERRED) && existsSync(`${ROOT}/${version}/bin/initdb`))
    .sort((one, other) => Number(other) - Number(one));
  const version = versions.includes(PREFERRED) ? PREFERRED : versions[0];
  return version === undefined ? undefined : `${ROOT}/${version}/bin`;
}

/**
 * Like `findPostgres`, but as root on a CI machine it installs a missing PostgreSQL.
 * Throws an Error of one line with the remedy if the installation fails.
 */
export function findOrInstallPostgres() {
  const found = findPostgres();
  const mayInstall = process.env.CI === "true" && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (found || !mayInstall) return found;
  console.log("the system has no PostgreSQL: installing one");
  if (!existsSync(NO_CLUSTER)) {
    // Debian's package would otherwise create a cluster and start it on port 5432.
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
