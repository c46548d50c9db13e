import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { nodeFlags } from "../src/launch/node-flags.ts";

/** One of the product's own processes, as `npm start` runs it. */
export interface ProductProcess {
  pid: number;
  stop: () => Promise<void>;
}

/** Starts `worker` or `server` with these settings; resolves when it reports that it is ready. */
export async function startProduct(
  name: "worker" | "server",
  settings: Record<string, string>,
): Promise<ProductProcess> {
  const child = fork(new URL(`../${name}/main.js`, import.meta.url), [], {
    env: { PATH: process.env["PATH"], LOG_LEVEL: "silent", ...settings },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: nodeFlags(name),
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
  });
  await Promise.race([
    new Promise((resolve) => child.once("message", resolve)),
    ended.then(() => {
      throw new Error(`the ${name} ended before it was ready`);
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

const TICKS_PER_SECOND = 100;

/** CPU seconds that the process has used; NaN except on Linux. */
export function cpuSeconds(pid: number): number {
  const text = read(`/proc/${pid}/stat`);
  // The second field is the program's name in brackets and may contain spaces.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The process's resident memory in megabytes; NaN except on Linux. */
export function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1]) / 1_024;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
