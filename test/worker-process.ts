import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../src/worker/main.ts", import.meta.url));

/** Starts the product's worker as a process with short leases; the caller ends it. */
export function startWorkerProcess(settings: Record<string, string>) {
  const child = spawn(process.execPath, ["--conditions=source", "--import=tsx", MAIN], {
    env: {
      PATH: process.env["PATH"],
      LEASE_MS: "1000",
      HEARTBEAT_MS: "200",
      RETRY_BASE_MS: "0",
      POLL_MIN_MS: "50",
      POLL_MAX_MS: "200",
      LOG_LEVEL: "silent",
      ...settings,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let log = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const ended = once(child, "exit") as Promise<[code: number | null, signal: string | null]>;
  /** `log` returns the log so far. */
  return { child, log: () => log, ended };
}
