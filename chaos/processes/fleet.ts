import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { FaultPoint } from "#fault";
import { FaultPlans } from "./fault-plans.ts";
import type { Random } from "../random.ts";
import type { FaultPlan } from "./rarest-points.ts";

export interface FleetOptions {
  url: string;
  /** How many workers claim jobs at once. */
  workers: number;
  /** How many more are loaded and wait to take the place of one that has ended. */
  spares: number;
  random: Random;
  /** The folder in which handlers write down their runs, and fault points the deaths they cause. */
  folder: string;
  /** Whether no fault point ends anything. */
  calm: boolean;
}

/** What a worker's process is told, and what it tells. */
export interface ToWorker {
  type: "begin";
  /** Where its fault points end it, and the processes of the jobs that it runs alone. */
  plan: FaultPlan;
  planAlone: FaultPlan;
}
export type FromWorker = { type: "loaded" } | { type: "ready"; workerId: string };

interface Member {
  child: ChildProcess;
  /** Where it dies of itself. */
  points: readonly FaultPoint[];
  state: "loading" | "spare" | "beginning" | "active" | "ending";
  /** Whether it sleeps now, and whether it ever did. */
  frozen: boolean;
  slept: boolean;
  workerId: string | undefined;
}

/** How long one that has slept is left alone. */
const AWAKE_MS = 1_000;

/**
 * Worker processes; one that ends is replaced by another that was loaded before, for loading takes most of a second of
 * a processor. Only one that has begun to claim is tormented: on a slow machine none would ever begin else.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members = new Set<Member>();
  #healing = false;
  #closed = false;
  readonly plans: FaultPlans;
  /** How many processes were ended in which way, and how many slept. */
  readonly ends = { killed: 0, atPoints: 0, drained: 0, frozen: 0 };
  /** The workers that died, but for those that slept before: these had lost their jobs already. */
  readonly dead: string[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.plans = new FaultPlans(options);
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

  /** Lets a random worker leave as a deployment does, rather one of these, and rather one that dies of it. */
  drain(workerIds: readonly string[]): void {
    const isBusy = ({ workerId = "" }: Member) => workerIds.includes(workerId);
    const dies = ({ points }: Member) => points.includes("released");
    const member = this.#pick((one) => isBusy(one) && dies(one)) ?? this.#pick(isBusy) ?? this.#pick();
    if (member?.child.kill("SIGTERM")) this.ends.drained += 1;
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
      const { plans } = this;
      const isSafe = this.#healing || this.#options.calm;
      const [plan, planAlone] = isSafe ? [plans.none(), plans.none()] : [plans.make(), plans.makeAlone()];
      member.points = plan.points;
      member.child.send({ type: "begin", plan, planAlone } satisfies ToWorker);
    }
    const total = this.#members.size - this.#in("ending").length;
    for (let count = total; count < workers + (this.#healing ? 0 : spares); count += 1) this.#start();
  }

  #start(): void {
    const { url, folder } = this.#options;
    const child = fork(fileURLToPath(new URL("worker-main.js", import.meta.url)), [], {
      execArgv: [],
      env: { ...process.env, DATABASE_URL: url, CHAOS_HISTORY: folder },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const member: Member = { child, points: [], state: "loading", frozen: false, slept: false, workerId: undefined };
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
