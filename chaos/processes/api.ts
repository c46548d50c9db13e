import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BAD_SETTINGS_EXIT_CODE } from "#env";
import { freePort } from "../../src/launch/check-port.ts";

export interface ApiOptions {
  databaseUrl: string;
  /** The file of its log. */
  log: string;
}

const RESTART_DELAY_MS = 100;

/** Runs the product's API as a process, and restarts it after every exit. */
export class Api {
  readonly #options: ApiOptions;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #closed = false;
  /** The number of kills, and of exits for other reasons. */
  readonly ends = { killed: 0, unexpected: 0 };

  private constructor(options: ApiOptions, port: number) {
    this.#options = options;
    this.#port = port;
  }

  /** Starts the API. Resolves when it answers. */
  static async start(options: ApiOptions): Promise<Api> {
    const api = new Api(options, await freePort("127.0.0.1"));
    api.#start();
    while (!(await api.#isUp())) await wait(100);
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Sends SIGKILL. */
  kill(): void {
    if (this.#child?.kill("SIGKILL")) this.ends.killed += 1;
  }

  /** Returns the last 3 lines of the log. */
  readLogTail(): string {
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
      if (signal !== "SIGKILL" && code !== BAD_SETTINGS_EXIT_CODE) this.ends.unexpected += 1;
      setTimeout(() => {
        if (!this.#closed) this.#start();
      }, RESTART_DELAY_MS);
    });
  }
}
