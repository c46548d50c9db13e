import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { FAULT_POINTS } from "#fault";
import type { FaultPoint } from "#fault";
import type { Random } from "./random.ts";

export interface FleetOptions {
  url: string;
  /** How many workers claim jobs at once. */
  workers: number;
  /** How many more are loaded and wait to take the place of one that has ended. */
  spares: number;
  random: Random;
  /** Where fault points note the deaths they cause. */
  log: string;
}

/** What a worker's process is told, and what it tells. */
export type ToWorker = { type: "begin" };
export type FromWorker = { type: "loaded" } | { type: "ready"; workerId: string };

interface Member {
  child: ChildProcess;
  state: "loading" | "spare" | "beginning" | "active" | "ending";
  /** Whether it sleeps now, and whether it ever did. */
  frozen: boolean;
  slept: boolean;
  workerId: string | undefined;
}

/** A worker works for so long before its fault points end it, in milliseconds of a processor. */
const SHORTEST_LIFE_MS = 100;
const LONGEST_LIFE_MS = 1_000;
/** How long one that has slept is left alone. */
const AWAKE_MS = 1_000;
/** Every other worker dies at whichever of so many points has ended the fewest. */
const RAREST = 6;

/**
 * Worker processes; one that ends is replaced by another that was loaded before, for loading takes most of a second of
 * a processor. Only one that has begun to claim is tormented: on a slow machine none would ever begin else.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members = new Set<Member>();
  #armed = 0;
  #healing = false;
  #closed = false;
  /** How many processes were ended in which way, and how many slept. */
  readonly ends = { killed: 0, atPoints: 0, drained: 0, frozen: 0 };
  /** The workers that died, but for those that slept before: these had lost their jobs already. */
  readonly dead: string[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#fill();
  }

  /** How many workers died, by a signal or at a fault point. */
  get deaths(): number {
    return this.ends.killed + this.ends.atPoints;
  }

  /** Ends a random one of these workers as `kill -9` does; false where none of them can be. */
  kill(workerIds: readonly string[]): boolean {
    const member = this.#pick((one) => workerIds.includes(one.workerId ?? ""));
    if (!member) return false;
    member.state = "ending";
    this.ends.killed += 1;
    this.#bury(member);
    return member.child.kill("SIGKILL");
  }

  /** Lets a random worker leave as a deployment does. */
  drain(): void {
    if (this.#pick()?.child.kill("SIGTERM")) this.ends.drained += 1;
  }

  /** Stops a random worker for a time, so that it comes back as a zombie whose leases are gone. */
  async freeze(ms: number): Promise<void> {
    const member = this.#pick();
    if (!member?.child.kill("SIGSTOP")) return;
    member.frozen = true;
    member.slept = true;
    this.ends.frozen += 1;
    await wait(ms);
    member.child.kill("SIGCONT");
    // It is to find out what it has lost before anything else happens to it.
    setTimeout(() => {
      member.frozen = false;
    }, AWAKE_MS).unref();
  }

  /** From now on nothing dies of itself: all workers are replaced by healthy ones; resolves when these have begun. */
  async heal(): Promise<void> {
    this.#healing = true;
    for (const member of this.#members) {
      member.state = "ending";
      member.child.kill("SIGKILL");
    }
    while (this.#in("active").length < this.#options.workers) await wait(100);
  }

  /** Ends all workers. */
  async close(): Promise<void> {
    this.#closed = true;
    const ended = [...this.#members].map(async ({ child }) => new Promise((resolve) => child.once("exit", resolve)));
    for (const { child } of this.#members) child.kill("SIGTERM");
    await Promise.all(ended);
  }

  /** How often each fault point ended a worker. */
  faults(): Record<FaultPoint, number> {
    const counts = Object.fromEntries(FAULT_POINTS.map((name) => [name, 0])) as Record<FaultPoint, number>;
    for (const name of readFileSync(this.#options.log, "utf8").split("\n").filter(Boolean))
      counts[name as FaultPoint] += 1;
    return counts;
  }

  #in(...states: Member["state"][]): Member[] {
    return [...this.#members].filter((member) => states.includes(member.state));
  }

  #pick(fits: (member: Member) => boolean = () => true): Member | undefined {
    return this.#options.random.pick(this.#in("active").filter((member) => !member.frozen && fits(member)));
  }

  #bury({ slept, workerId }: Member): void {
    if (!slept && workerId !== undefined) this.dead.push(workerId);
  }

  /** Lets spares begin where workers are missing, and starts processes where spares are. */
  #fill(): void {
    if (this.#closed) return;
    const { workers, spares } = this.#options;
    const missing = workers - this.#in("beginning", "active").length;
    for (const member of this.#in("spare").slice(0, Math.max(0, missing))) {
      member.state = "beginning";
      member.child.send({ type: "begin" } satisfies ToWorker);
    }
    const total = this.#members.size - this.#in("ending").length;
    for (let count = total; count < workers + (this.#healing ? 0 : spares); count += 1) this.#start();
  }

  /** Points by turns and the ones that have ended the fewest workers, so that a run meets all of them. */
  #arm(): { points: readonly FaultPoint[]; afterCpuMs: number } {
    if (this.#healing) return { points: [], afterCpuMs: 0 };
    const { random } = this.#options;
    this.#armed += 1;
    const byTurns = FAULT_POINTS[(this.#armed >> 1) % FAULT_POINTS.length] ?? "claimed";
    const counts = this.faults();
    const rarest = FAULT_POINTS.toSorted((one, other) => counts[one] - counts[other]).slice(0, RAREST);
    const afterCpuMs = SHORTEST_LIFE_MS + random.below(LONGEST_LIFE_MS - SHORTEST_LIFE_MS);
    return { points: this.#armed % 2 === 0 ? [byTurns] : rarest, afterCpuMs };
  }

  #start(): void {
    const { url, log } = this.#options;
    const child = fork(fileURLToPath(new URL("worker-main.js", import.meta.url)), [], {
      execArgv: [],
      env: { ...process.env, DATABASE_URL: url, FAULT_PLAN: JSON.stringify({ ...this.#arm(), log }) },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const member: Member = { child, state: "loading", frozen: false, slept: false, workerId: undefined };
    this.#members.add(member);
    child.on("message", (message: FromWorker) => {
      if (member.state === "ending") return;
      member.state = message.type === "loaded" ? "spare" : "active";
      if (message.type === "ready") member.workerId = message.workerId;
      this.#fill();
    });
    // One that has gone takes no more messages.
    child.on("error", () => undefined);
    child.once("exit", (_code, signal) => {
      this.#members.delete(member);
      if (signal === "SIGKILL" && member.state !== "ending") {
        this.ends.atPoints += 1;
        this.#bury(member);
      }
      // One that cannot even be loaded must not be started as fast as it fails.
      setTimeout(() => this.#fill(), member.state === "loading" ? 500 : 0);
    });
  }
}
