import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FAULT_POINTS } from "#fault";
import type { FaultPoint } from "#fault";
import type { Random } from "../random.ts";
import { countNames, rarestOf } from "./rarest-points.ts";
import type { FaultPlan } from "./rarest-points.ts";

export interface FaultPlansOptions {
  /** The folder in which fault points note the deaths that they cause. */
  folder: string;
  random: Random;
}

/** How long a worker works before its fault points end it, in milliseconds of a processor. */
const SHORTEST_LIFE_MS = 100;
const LONGEST_LIFE_MS = 1_000;
/** The same where it is to die at one of the points that have ended the fewest. */
const LONGEST_LIFE_FOR_RAREST_MS = 300;
/** So few points are hard to reach: a worker that reaches one dies at once. */
const FEW = 5;
/** The process of a job that runs alone lives for a short time; one worker in so many has its own die. */
const LONGEST_LIFE_ALONE_MS = 60;
const ONE_ALONE_IN = 2;
/** The points that the process of a job that runs alone can reach. */
const POINTS_ALONE = [
  "before running",
  "before a checkpoint",
  "checkpoint written",
  "before events",
  "events written",
  "before completing",
  "before the completion commits",
  "completed",
  "before completing many",
  "completed many",
  "parked",
  "before failing",
  "failed",
  "snoozed",
  "cancelled",
  "released",
] as const satisfies readonly FaultPoint[];

/** Decides at which fault points each worker dies, so that a run reaches all of them. */
export class FaultPlans {
  readonly #random: Random;
  readonly #log: string;
  readonly #logAlone: string;
  #armed = 0;

  constructor({ folder, random }: FaultPlansOptions) {
    this.#random = random;
    this.#log = join(folder, "faults.log");
    this.#logAlone = join(folder, "faults-alone.log");
    for (const log of [this.#log, this.#logAlone]) writeFileSync(log, "");
  }

  /** For a worker: by turns one point after the other, and the points that have ended the fewest workers. */
  make(): FaultPlan {
    const log = this.#log;
    this.#armed += 1;
    if (this.#armed % 2 > 0) {
      const points = rarestOf(this.count());
      return { points, afterCpuMs: points.length > FEW ? this.#random.below(LONGEST_LIFE_FOR_RAREST_MS) : 0, log };
    }
    const byTurns = FAULT_POINTS[(this.#armed >> 1) % FAULT_POINTS.length] ?? "claimed";
    const afterCpuMs = SHORTEST_LIFE_MS + this.#random.below(LONGEST_LIFE_MS - SHORTEST_LIFE_MS);
    return { points: [byTurns], afterCpuMs, log };
  }

  /** For the processes in which a worker runs jobs alone; not for those of every worker, or such jobs would never end. */
  makeAlone(): FaultPlan {
    if (this.#random.below(ONE_ALONE_IN) > 0) return this.none();
    const afterCpuMs = this.#random.below(2) * this.#random.below(LONGEST_LIFE_ALONE_MS);
    return { points: POINTS_ALONE, afterCpuMs, log: this.#logAlone };
  }

  /** A plan by which nothing dies. */
  none(): FaultPlan {
    return { points: [], afterCpuMs: 0, log: this.#log };
  }

  /** How often each fault point ended a worker. */
  count(): Record<FaultPoint, number> {
    return countNames(this.#log, FAULT_POINTS);
  }

  /** How often each fault point ended the process of a job that ran alone. */
  countAlone(): Record<(typeof POINTS_ALONE)[number], number> {
    return countNames(this.#logAlone, POINTS_ALONE);
  }
}
