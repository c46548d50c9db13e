import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Random } from "./random.ts";

export interface FleetOptions {
  url: string;
  workers: number;
  random: Random;
  /** How likely each fault point ends its worker. */
  rate: number;
  /** Where fault points note the deaths they cause. */
  log: string;
}

const RESTART_MS = 100;

/**
 * Worker processes that are started again whenever they end, until told otherwise. Only one that has begun to claim is
 * tormented: on a slow machine none would ever begin else.
 */
export class Fleet {
  readonly #options: FleetOptions;
  #children: ChildProcess[] = [];
  readonly #ready = new Set<ChildProcess>();
  #rate: number;
  #closed = false;
  /** How many processes were ended in which way. */
  readonly ends = { killed: 0, frozen: 0, drained: 0 };

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#rate = options.rate;
    for (let count = 0; count < options.workers; count += 1) this.#start();
  }

  /** Ends a random worker as `kill -9` does. */
  kill(): void {
    if (this.#pick()?.kill("SIGKILL")) this.ends.killed += 1;
  }

  /** Lets a random worker leave as a deployment does. */
  drain(): void {
    if (this.#pick()?.kill("SIGTERM")) this.ends.drained += 1;
  }

  /** Stops a random worker for a time, so that it comes back as a zombie whose leases are gone. */
  async freeze(ms: number): Promise<void> {
    const child = this.#pick();
    if (!child?.kill("SIGSTOP")) return;
    this.ends.frozen += 1;
    await wait(ms);
    child.kill("SIGCONT");
  }

  /** From now on nothing dies of itself: all workers are replaced by healthy ones; resolves when these have begun. */
  async heal(): Promise<void> {
    this.#rate = 0;
    this.#ready.clear();
    for (const child of this.#children) child.kill("SIGKILL");
    while (this.#ready.size < this.#options.workers) await wait(100);
  }

  #pick(): ChildProcess | undefined {
    return this.#options.random.pick([...this.#ready]);
  }

  /** Ends all workers. */
  async close(): Promise<void> {
    this.#closed = true;
    const ended = this.#children.map(async (child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of this.#children) child.kill("SIGTERM");
    await Promise.all(ended);
  }

  /** How often each fault point ended a worker. */
  faults(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const name of readFileSync(this.#options.log, "utf8").split("\n").filter(Boolean))
      counts.set(name, (counts.get(name) ?? 0) + 1);
    return counts;
  }

  #start(): void {
    const { url, log } = this.#options;
    const child = fork(fileURLToPath(new URL("worker-main.js", import.meta.url)), [], {
      execArgv: ["--conditions=chaos"],
      env: { ...process.env, DATABASE_URL: url, FAULT_PLAN: JSON.stringify({ rate: this.#rate, log }) },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#children.push(child);
    child.once("message", () => this.#ready.add(child));
    child.once("exit", () => {
      this.#ready.delete(child);
      this.#children = this.#children.filter((other) => other !== child);
      if (!this.#closed) setTimeout(() => this.#closed || this.#start(), RESTART_MS);
    });
  }
}
