import type { Plot } from "./plot.ts";

export const SYSTEMS = ["threadmill", "graphile", "pgboss"] as const;
/** Threadmill, or one of its peers. */
export type SystemName = (typeof SYSTEMS)[number];

/** One measured number. */
export interface Figure {
  /** Its name in `results.json`. */
  key: string;
  label: string;
  value: number;
  unit: string;
  /** Absent for a figure that is only information. */
  target?: { at: "least" | "most"; value: number };
}

export interface BenchmarkResult {
  figures: Figure[];
  /** Every measurement, by case. */
  samples: Record<string, unknown>;
  settings: Record<string, unknown>;
  plots?: Plot[];
}

/** A database that one measurement uses alone. */
export interface BenchDatabase {
  url: string;
  drop: () => Promise<void>;
}

export interface BenchContext {
  /** Fewer jobs and rounds. */
  quick: boolean;
  /** Creates a database with the system's tables. */
  createDatabase: (system: SystemName) => Promise<BenchDatabase>;
  /** Waits until the server is idle and has written a checkpoint, so that no measurement pays for work before it. */
  settle: () => Promise<void>;
  /** The path of PostgreSQL's log. */
  serverLog: string;
  log: (line: string) => void;
}

export interface Benchmark {
  name: string;
  run: (context: BenchContext) => Promise<BenchmarkResult>;
}

/** The target of a figure where more is better. */
export const atLeast = (value: number) => ({ at: "least", value }) as const;
/** The target of a figure where less is better. */
export const atMost = (value: number) => ({ at: "most", value }) as const;
