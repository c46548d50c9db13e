import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";

export interface ProcessOptions {
  name: string;
  /** The module to run, relative to the build's root. */
  module: string;
  env: NodeJS.ProcessEnv;
  log: Logger;
  /** Called when the process ended because its configuration cannot work. */
  onMisconfigured: () => void;
}

export interface Supervised {
  /** Resolves when the process first says that it is ready. */
  ready: Promise<void>;
  /** Lets the process drain, kills it when the grace is over; resolves when it has ended. */
  stop: (graceMs: number) => Promise<void>;
}

const BAD_CONFIGURATION = 78;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
const STEADY_AFTER_MS = 60_000;

/** The wait before a process that died is started again, in milliseconds: doubling from 250 to 10,000. */
export function restartDelayMs(deathsInARow: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (deathsInARow - 1), LONGEST_DELAY_MS);
}

/** Keeps one process running: one that dies is started again, later each time. */
export function supervise({ name, module, env, log, onMisconfigured }: ProcessOptions): Supervised {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let deaths = 0;
  let stopping = false;
  let ended: Promise<void> = Promise.resolve();
  let markReady: () => void;
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });

  const start = () => {
    const startedAt = performance.now();
    // A process group of its own: Ctrl-C reaches the launcher alone, which lets its processes drain.
    const running = fork(fileURLToPath(new URL(`../${module}`, import.meta.url)), [], {
      detached: true,
      env,
      stdio: ["ignore", 2, 2, "ipc"],
    });
    child = running;
    running.on("message", () => markReady());
    ended = new Promise((resolve) => {
      running.once("exit", (code, signal) => {
        resolve();
        if (stopping) return;
        if (code === BAD_CONFIGURATION) return onMisconfigured();
        deaths = performance.now() - startedAt > STEADY_AFTER_MS ? 1 : deaths + 1;
        const delayMs = restartDelayMs(deaths);
        log.error({ name, pid: running.pid, code, signal, delayMs }, `${name} died; starting it again`);
        timer = setTimeout(start, delayMs);
        return undefined;
      });
    });
  };
  start();

  return {
    ready,
    async stop(graceMs) {
      stopping = true;
      clearTimeout(timer);
      if (child?.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      const forced = setTimeout(() => child?.kill("SIGKILL"), graceMs);
      await ended;
      clearTimeout(forced);
    },
  };
}
