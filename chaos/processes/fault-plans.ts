import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FAULT_POINTS } from "#fault";
import type { FaultPoint } from "#fault";
import type { Random } from "../random.ts";
import { countNames, rarestOf } from "./rarest-points.ts";
import type { FaultPlan } from "./rarest-points.ts";

export interface FaultPlansOptions {
  /** The folder of the logs in which fault points record their deaths. */
  folder: string;
  random: Random;
}

/** Fault points are armed after this CPU time of the worker. */
const MIN_LIFE_CPU_MS = 100;
const MAX_LIFE_CPU_MS = 1_000;
/** The maximum for a plan of the rarest points. */
const MAX_RAREST_LIFE_CPU_MS = 300;
/** Up to this number of rarest points, the points are hard to reach and armed from the start. */
const HARD_TO_REACH = 5;
/** A quarantine process lives only for a short time. */
const MAX_QUARANTINE_LIFE_CPU_MS = 60;
/** One of this many workers arms its quarantine processes. */
const QUARANTINE_RATIO = 2;
/** The points that a quarantine process can reach. */
const QUARANTINE_POINTS = [
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

/** Assigns fault points to workers, so that a run reaches all of them. */
export class FaultPlans {
  readonly #random: Random;
  readonly #log: string;
  readonly #quarantineLog: string;
  #armed = 0;

  constructor({ folder, random }: FaultPlansOptions) {
    this.#random = random;
    this.#log = join(folder, "faults.log");
    this.#quarantineLog = join(folder, "faults-quarantine.log");
    for (const log of [this.#log, this.#quarantineLog]) writeFileSync(log, "");
  }

  /** A worker's plan. Plans alternate between the rarest points and the next point of a round robin. */
  make(): FaultPlan {
    const log = this.#log;
    this.#armed += 1;
    if (this.#armed % 2 > 0) {
      const points = rarestOf(this.count());
      return {
        points,
        afterCpuMs: points.length > HARD_TO_REACH ? this.#random.below(MAX_RAREST_LIFE_CPU_MS) : 0,
        log,
      };
    }
    const nextPoint = FAULT_POINTS[(this.#armed >> 1) % FAULT_POINTS.length] ?? "claimed";
    const afterCpuMs = MIN_LIFE_CPU_MS + this.#random.below(MAX_LIFE_CPU_MS - MIN_LIFE_CPU_MS);
    return { points: [nextPoint], afterCpuMs, log };
  }

  /** A plan for a worker's quarantine processes. Some workers get an empty plan, or quarantined jobs would never end. */
  makeQuarantine(): FaultPlan {
    if (this.#random.below(QUARANTINE_RATIO) > 0) return this.none();
    const afterCpuMs = this.#random.below(2) * this.#random.below(MAX_QUARANTINE_LIFE_CPU_MS);
    return { points: QUARANTINE_POINTS, afterCpuMs, log: this.#quarantineLog };
  }

  /** An empty plan. */
  none(): FaultPlan {
    return { points: [], afterCpuMs: 0, log: this.#log };
  }

  /** The number of worker deaths by fault point. */
  count(): Record<FaultPoint, number> {
    return countNames(this.#log, FAULT_POINTS);
  }

  /** The number of quarantine process deaths by fault point. */
  countQuarantine(): Record<(typeof QUARANTINE_POINTS)[number], number> {
    return countNames(this.#quarantineLog, QUARANTINE_POINTS);
  }
}
