import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import type { Logger } from "pino";
import { RestartDelay } from "./restart-delay.ts";

export interface ProcessOptions {
  name: string;
  /** The module to run. */
  module: URL;
  /** Options of Node.js itself. */
  execArgv: string[];
  env: NodeJS.ProcessEnv;
  log: Logger;
  /** Called when the process ended because its configuration cannot work. */
  onMisconfigured: () => void;
}

export interface Supervised {
  /** Resolves when the process first says that it is ready. */
  ready: Promise<void>;
  /** Lets the process drain and starts it anew, from what its files are then. */
  restart: () => void;
  /** Lets the process drain, kills it when the grace is over; resolves when it has ended. */
  stop: (graceMs: number) => Promise<void>;
}

const BAD_CONFIGURATION = 78;

/** Keeps one process running: one that dies is started again, later each time. */
export function supervise(options: ProcessOptions): Supervised {
  return new Supervisor(options);
}

class Supervisor implements Supervised {
  readonly ready: Promise<void>;
  readonly #options: ProcessOptions;
  readonly #delay = new RestartDelay();
  #markReady: () => void = () => undefined;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  #restarting = false;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
    this.#start();
  }

  restart(): void {
    if (this.#stopping || this.#restarting) return;
    clearTimeout(this.#timer);
    if (this.#child === undefined) return this.#start();
    this.#restarting = true;
    this.#child.kill("SIGTERM");
    return undefined;
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#child?.kill("SIGTERM");
    const forced = setTimeout(() => this.#child?.kill("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(forced);
  }

  #start(): void {
    const { module, execArgv, env, name, log } = this.#options;
    this.#delay.started();
    // A process group of its own: Ctrl-C reaches the launcher alone, which lets its processes drain.
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
    if (this.#stopping) return;
    if (this.#restarting) {
      this.#restarting = false;
      this.#start();
      return;
    }
    if (end.code === BAD_CONFIGURATION) {
      onMisconfigured();
      return;
    }
    const delayMs = this.#delay.next();
    log.error({ name, ...end, delayMs }, `${name} died; starting it again`);
    this.#timer = setTimeout(() => this.#start(), delayMs);
  }
}
