/**
 * Reads a message: its numbers, its constraints and its intent, and applies them to the thread's requirements.
 * This folder must not know task families, designs or replies.
 * Invariant: a number that no message stated stays null. Assumptions are made later and shown as such.
 */

/** A requirement without a number, as it is shown to the user. */
export type Constraint =
  | "personal data stays protected"
  | "data stays on own servers"
  | "runs on the device"
  | "decisions can be explained"
  | "features are fresh within seconds"
  | "scored in batches"
  | "cost before accuracy"
  | "no neural network"
  | "no GPU"
  | "no external API"
  | "few or no labels";

/** The requirements of a thread so far; null where nothing was stated. */
export interface Requirements {
  /** The name of the task family. */
  task: string;
  /** The user's words that started the design. */
  goal: string;
  latencyMs: number | null;
  /** The average load. */
  requestsPerSecond: number | null;
  monthlyBudgetUsd: number | null;
  /** The number of training examples. */
  dataRows: number | null;
  dataGb: number | null;
  teamSize: number | null;
  deadlineWeeks: number | null;
  /** The target of the quality metric, from 0 to 1. */
  qualityTarget: number | null;
  constraints: Constraint[];
}

export type Quantities = Omit<Requirements, "task" | "goal" | "constraints">;

/** The change that one message asks for. */
export interface Change {
  /** The stated numbers; null withdraws a number. */
  quantities: Partial<Quantities>;
  /** Factors on earlier numbers, such as "twice the traffic". */
  factors: Partial<Record<keyof Quantities, number>>;
  add: Constraint[];
  remove: Constraint[];
}

export const NO_QUANTITIES: Quantities = {
  latencyMs: null,
  requestsPerSecond: null,
  monthlyBudgetUsd: null,
  dataRows: null,
  dataGb: null,
  teamSize: null,
  deadlineWeeks: null,
  qualityTarget: null,
};

/** The values assumed where nothing was stated. */
export const ASSUMED = { latencyMs: 300, requestsPerSecond: 20, dataRows: 50_000, teamSize: 2 };

/** True when a message states nothing that could change a design. */
export function isEmptyChange({ quantities, factors, add, remove }: Change): boolean {
  return Object.keys(quantities).length + Object.keys(factors).length + add.length + remove.length === 0;
}

/** Returns the requirements after a change. */
export function applyChange(before: Requirements, change: Change): Requirements {
  const after: Requirements = { ...before, ...change.quantities };
  for (const [name, factor] of Object.entries(change.factors) as [keyof Quantities, number][]) {
    const assumed = (ASSUMED as Partial<Record<keyof Quantities, number>>)[name];
    const value = after[name] ?? assumed ?? null;
    after[name] = value === null ? null : Number((value * factor).toPrecision(3));
  }
  const dropped = new Set<Constraint>(change.remove);
  if (change.add.includes("features are fresh within seconds")) dropped.add("scored in batches");
  if (change.add.includes("scored in batches")) dropped.add("features are fresh within seconds");
  const kept = before.constraints.filter((constraint) => !dropped.has(constraint));
  return { ...after, constraints: [...new Set([...kept, ...change.add])] };
}
