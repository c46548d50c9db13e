import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./start-process.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const READY = /Threadmill ready at (http:\S+)/;

export interface Stack {
  /** The URL of the page and the API. */
  url: string;
  /** The launcher's process id. */
  pid: number;
  /** Sends SIGTERM, and returns the exit code. */
  stop: () => Promise<number | null>;
}

/** Starts the product like `npm start`, on a free port and with a new database. */
export async function startStack(env: Record<string, string> = {}): Promise<Stack> {
  const dataDir = mkdtempSync(join(tmpdir(), "threadmill-e2e-"));
  const launcher = spawn(process.execPath, ["src/launch/run.mjs", "start"], {
    cwd: ROOT,
    env: { ...process.env, PORT: await freePort(), DATA_DIR: dataDir, LOG_LEVEL: "warn", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(launcher, "exit") as Promise<[number | null]>;
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      output += chunk.toString();
      const ready = READY.exec(output)?.[1];
      if (ready !== undefined) resolve(ready);
    };
    launcher.stdout.on("data", onData);
    launcher.stderr.on("data", onData);
    void ended.then(() => reject(new Error(`npm start ended before it was ready:\n${output}`)));
  });
  return {
    url,
    pid: launcher.pid ?? 0,
    async stop() {
      launcher.kill("SIGTERM");
      const [code] = await ended;
      rmSync(dataDir, { recursive: true, force: true });
      return code;
    },
  };
}
