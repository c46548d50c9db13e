import type { Plot } from "./plot.ts";

export const SYSTEMS = ["threadmill", "graphile", "pgboss"] as const;
/** Threadmill, or one of its peers. */
export type SystemName = (typeof SYSTEMS)[number];

/** One number that a benchmark found out. */
export interface Figure {
  /** Its name in `results.json`. */
  key: string;
  says: string;
  value: number;
  unit: string;
  /** What it is to be; absent where it is only for information. */
  target?: { at: "least" | "most"; value: number };
}

export interface Outcome {
  figures: Figure[];
  /** Every single measurement, by what was measured. */
  samples: Record<string, unknown>;
  /** What was run with. */
  settings: Record<string, unknown>;
  plots?: Plot[];
}

/** A database of a measurement's own. */
export interface Room {
  url: string;
  drop: () => Promise<void>;
}

export interface Stage {
  /** The server's address without a database. */
  quick: boolean;
  /** Makes a new database with the system's own tables in it. */
  room: (system: SystemName) => Promise<Room>;
  /** Waits until the server has done what it was asked and written it out: no measurement pays for what was before it. */
  settle: () => Promise<void>;
  /** The server's own log. */
  log: string;
  say: (line: string) => void;
}

export interface Benchmark {
  name: string;
  run: (stage: Stage) => Promise<Outcome>;
}

/** The target of a figure that is better the greater it is. */
export const atLeast = (value: number) => ({ at: "least", value }) as const;
/** The target of a figure that is better the smaller it is. */
export const atMost = (value: number) => ({ at: "most", value }) as const;
