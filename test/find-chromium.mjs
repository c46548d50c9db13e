import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const APPLICATIONS = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/**
 * The path of a Chromium for the browser tests: CHROMIUM_PATH, Playwright's, the system's, or a newly installed one.
 * Throws an Error of one line with the remedy if there is none.
 */
export async function findChromium() {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen) {
    if (existsSync(chosen)) return chosen;
    throw new Error(`CHROMIUM_PATH: there is no file ${chosen}: set it to a Chromium's path, or unset it`);
  }
  const found = (await ownChromium()) ?? systemChromium();
  if (found) return found;
  console.log("no Chromium was found: installing one");
  const installed = install() ? ((await ownChromium()) ?? systemChromium()) : undefined;
  if (installed) return installed;
  throw new Error("no Chromium was found and none could be installed: install one and set CHROMIUM_PATH to its path");
}

/** The Chromium that `playwright install` has downloaded; or undefined. */
async function ownChromium() {
  const { chromium } = await import("playwright");
  const path = chromium.executablePath();
  return path && existsSync(path) ? path : undefined;
}

function systemChromium() {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...APPLICATIONS].find((path) =>
    existsSync(path),
  );
}

function install() {
  const apt = (...args) => succeeds("apt-get", args, { DEBIAN_FRONTEND: "noninteractive" });
  const isRoot = process.getuid?.() === 0;
  if (isRoot && existsSync("/usr/bin/apt-get")) {
    const packages = ["install", "-y", "--no-install-recommends", "chromium"];
    if (apt(...packages) || (apt("update") && apt(...packages))) return true;
  }
  return succeeds("npx", ["playwright", "install", "chromium"]);
}

const succeeds = (command, args, env = {}) =>
  spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } }).status === 0;
