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
  /** The number of workers that claim jobs. */
  workers: number;
  /** The number of loaded processes that wait to replace a worker. */
  spares: number;
  random: Random;
  /** The folder of the history and of the fault point logs. */
  folder: string;
  /** Arms no fault points. */
  noFaults: boolean;
}

/** Starts the claims of a spare, with the fault points of the worker and of its quarantine processes. */
export interface ToWorker {
  type: "start";
  plan: FaultPlan;
  quarantinePlan: FaultPlan;
}
export type FromWorker = { type: "loaded" } | { type: "ready"; workerId: string };

interface Member {
  child: ChildProcess;
  /** The armed fault points. */
  points: readonly FaultPoint[];
  state: "loading" | "spare" | "starting" | "active" | "ending";
  isFrozen: boolean;
  wasFrozen: boolean;
  workerId: string | undefined;
}

/** No other fault hits a worker for this time after its freeze. */
const RECOVERY_MS = 1_000;

/**
 * The worker processes. A loaded spare replaces each ended worker, because loading takes most of a second of CPU time.
 * Only workers that already claim are killed. Otherwise no worker would ever start on a slow machine.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members = new Set<Member>();
  #healing = false;
  #closed = false;
  readonly plans: FaultPlans;
  /** The number of ended workers by cause, and of freezes. */
  readonly ends = { killed: 0, atPoints: 0, drained: 0, frozen: 0 };
  /** The ids of the dead workers. Frozen ones are left out, because they had already lost their jobs. */
  readonly dead: string[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.plans = new FaultPlans(options);
    this.#fill();
  }

  /** The number of deaths, by kills and at fault points. */
  get deaths(): number {
    return this.ends.killed + this.ends.atPoints;
  }

  /** Kills a random one of these workers with SIGKILL; false when none of them is active. */
  kill(workerIds: readonly string[]): boolean {
    const member = this.#pick((one) => workerIds.includes(one.workerId ?? ""));
    if (!member) return false;
    member.state = "ending";
    this.ends.killed += 1;
    this.#recordDeath(member);
    return member.child.kill("SIGKILL");
  }

  /** Sends SIGTERM to a random worker. Prefers these workers, and among them one armed to die at the release. */
  drain(workerIds: readonly string[]): void {
    const isBusy = ({ workerId = "" }: Member) => workerIds.includes(workerId);
    const diesAtRelease = ({ points }: Member) => points.includes("released");
    const member = this.#pick((one) => isBusy(one) && diesAtRelease(one)) ?? this.#pick(isBusy) ?? this.#pick();
    if (member?.child.kill("SIGTERM")) this.ends.drained += 1;
  }

  /** Freezes a random worker. It continues as a zombie whose leases have expired. */
  async freeze(ms: number): Promise<void> {
    const member = this.#pick();
    if (!member?.child.kill("SIGSTOP")) return;
    member.isFrozen = true;
    member.wasFrozen = true;
    this.ends.frozen += 1;
    await wait(ms);
    member.child.kill("SIGCONT");
    // Gives the worker time to notice its lost leases.
    setTimeout(() => {
      member.isFrozen = false;
    }, RECOVERY_MS).unref();
  }

  /** Replaces all workers by workers without fault points. Resolves when the new workers are active. */
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
    return this.#options.random.pick(this.#in("active").filter((member) => !member.isFrozen && fits(member)));
  }

  #recordDeath({ wasFrozen, workerId }: Member): void {
    if (!wasFrozen && workerId !== undefined) this.dead.push(workerId);
  }

  /** Starts spares in place of missing workers, and loads new spares. */
  #fill(): void {
    if (this.#closed) return;
    const { workers, spares } = this.#options;
    const missing = workers - this.#in("starting", "active").length;
    for (const member of this.#in("spare").slice(0, Math.max(0, missing))) {
      member.state = "starting";
      const { plans } = this;
      const isSafe = this.#healing || this.#options.noFaults;
      const [plan, quarantinePlan] = isSafe ? [plans.none(), plans.none()] : [plans.make(), plans.makeQuarantine()];
      member.points = plan.points;
      member.child.send({ type: "start", plan, quarantinePlan } satisfies ToWorker);
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
    const member: Member = {
      child,
      points: [],
      state: "loading",
      isFrozen: false,
      wasFrozen: false,
      workerId: undefined,
    };
    this.#members.add(member);
    child.on("message", (message: FromWorker) => {
      if (member.state === "ending") return;
      member.state = message.type === "loaded" ? "spare" : "active";
      if (message.type === "ready") member.workerId = message.workerId;
      this.#fill();
    });
    // Sending to an exited process emits an error.
    child.on("error", () => undefined);
    child.once("exit", (_code, signal) => {
      this.#members.delete(member);
      if (signal === "SIGKILL" && member.state !== "ending") {
        this.ends.atPoints += 1;
        this.#recordDeath(member);
      }
      // A delay for processes that fail to load, so that they are not restarted in a tight loop.
      setTimeout(() => this.#fill(), member.state === "loading" ? 500 : 0);
    });
  }
}
