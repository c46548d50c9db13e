import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const READY = /Threadmill ready at (http:\S+)/;

export interface Stack {
  /** Where the page and the API are. */
  url: string;
  /** The launcher's process id. */
  pid: number;
  /** Asks all of it to end, and answers with the exit code. */
  stop: () => Promise<number | null>;
}

/** Starts the product as `npm start` does, on a free port and with a database of its own. */
export async function startStack(env: Record<string, string> = {}): Promise<Stack> {
  const dataDir = mkdtempSync(join(tmpdir(), "threadmill-e2e-"));
  const launcher = spawn(process.execPath, ["src/launch/run.mjs", "start"], {
    cwd: ROOT,
    env: { ...process.env, PORT: String(await freePort()), DATA_DIR: dataDir, LOG_LEVEL: "warn", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(launcher, "exit") as Promise<[number | null]>;
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      output += chunk.toString();
      const ready = READY.exec(output)?.[1];
      if (ready !== undefined) resolve(ready);
    };
    launcher.stdout.on("data", hear);
    launcher.stderr.on("data", hear);
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
