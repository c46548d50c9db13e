import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export interface ApiOptions {
  databaseUrl: string;
  /** Where its log goes. */
  log: string;
}

/** What the API exits with when its port is taken. */
const BAD_CONFIGURATION = 78;
/** How long after its end it is started again. */
const AGAIN_MS = 100;

/** The product's API in a process of its own, which is started again whenever it has ended. */
export class Api {
  readonly #options: ApiOptions;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #closed = false;
  /** How often it was killed, and how often it ended otherwise, which it never should. */
  readonly ends = { killed: 0, byItself: 0 };

  private constructor(options: ApiOptions, port: number) {
    this.#options = options;
    this.#port = port;
  }

  /** Starts it; resolves once it listens. */
  static async start(options: ApiOptions): Promise<Api> {
    const api = new Api(options, await findFreePort());
    api.#start();
    while (!(await api.#isUp())) await wait(100);
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Ends it as `kill -9` does. */
  kill(): void {
    if (this.#child?.kill("SIGKILL")) this.ends.killed += 1;
  }

  /** Its last log lines. */
  lastWords(): string {
    return readFileSync(this.#options.log, "utf8").trim().split("\n").slice(-3).join("\n");
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  }

  async #isUp(): Promise<boolean> {
    return fetch(`${this.url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  #start(): void {
    const { databaseUrl, log } = this.#options;
    const settings = { HOST: "127.0.0.1", PORT: String(this.#port), DATABASE_URL: databaseUrl, LOG_LEVEL: "error" };
    const output = openSync(log, "a");
    const child = fork(fileURLToPath(new URL("api-main.js", import.meta.url)), [], {
      execArgv: [],
      env: { ...process.env, DATABASE_LISTEN_URL: undefined, ...settings },
      stdio: ["ignore", output, "inherit", "ipc"],
    });
    closeSync(output);
    this.#child = child;
    child.once("exit", (code, signal) => {
      if (this.#closed) return;
      if (signal !== "SIGKILL" && code !== BAD_CONFIGURATION) this.ends.byItself += 1;
      setTimeout(() => {
        if (!this.#closed) this.#start();
      }, AGAIN_MS);
    });
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
