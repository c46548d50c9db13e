import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import type { Logger } from "pino";
import { BAD_SETTINGS_EXIT_CODE } from "#env";
import { RestartDelay } from "./restart-delay.ts";

export interface ProcessOptions {
  name: string;
  /** The module to run. */
  module: URL;
  /** Flags of Node.js itself. */
  execArgv: string[];
  env: NodeJS.ProcessEnv;
  log: Logger;
  /** Called when the process exits with `BAD_SETTINGS_EXIT_CODE`. It is not restarted. */
  onMisconfigured: () => void;
}

/** Keeps one process running. A process that dies is restarted after a delay that grows with each death. */
export class SupervisedProcess {
  /** Resolves when the process first reports that it is ready. */
  readonly ready: Promise<void>;
  readonly #options: ProcessOptions;
  readonly #delay = new RestartDelay();
  #markReady: () => void = () => undefined;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;
  #isRestarting = false;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
    this.#start();
  }

  /** Lets the process drain, then starts it again from the current files. */
  restart(): void {
    if (this.#isStopping || this.#isRestarting) return;
    clearTimeout(this.#timer);
    if (this.#child === undefined) {
      this.#start();
      return;
    }
    this.#isRestarting = true;
    this.#child.kill("SIGTERM");
  }

  /** Lets the process drain and kills it after `graceMs`. Resolves when the process has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    this.#child?.kill("SIGTERM");
    const forced = setTimeout(() => this.#child?.kill("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(forced);
  }

  #start(): void {
    const { module, execArgv, env, name, log } = this.#options;
    this.#delay.started();
    // Detached: Ctrl-C must reach only the launcher, which lets its processes drain.
    const child = fork(module, [], { detached: true, env, execArgv, stdio: ["ignore", 2, 2, "ipc"] });
    this.#child = child;
    child.once("message", () => {
      log.debug({ name, pid: child.pid }, `${name} is ready`);
      this.#markReady();
    });
    this.#ended = new Promise((resolve) => {
      const end = (code: number | null, signal: string | null) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        resolve();
        this.#afterEnd({ code, signal, pid: child.pid });
      };
      child.once("exit", end);
      child.once("error", () => child.pid === undefined && end(null, null));
    });
    log.debug({ name, pid: child.pid }, `${name} started`);
  }

  #afterEnd(end: { code: number | null; signal: string | null; pid: number | undefined }): void {
    const { name, log, onMisconfigured } = this.#options;
    if (this.#isStopping) return;
    if (this.#isRestarting) {
      this.#isRestarting = false;
      this.#start();
      return;
    }
    if (end.code === BAD_SETTINGS_EXIT_CODE) {
      onMisconfigured();
      return;
    }
    const delayMs = this.#delay.next();
    log.error({ name, ...end, delayMs }, `${name} died; starting it again`);
    this.#timer = setTimeout(() => this.#start(), delayMs);
  }
}
