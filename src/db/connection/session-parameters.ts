import type { DatabaseOptions } from "./client.ts";

/**
 * Planner settings that make a statement walk an index in order and look up rows one by one, if it can. Each connection
 * plans a statement once, because planning the claim takes longer than running it.
 *
 * Needs `jit = off`: a disabled scan adds 10^10 to the cost of its plan, and the server would compile every claim.
 */
export const INDEXED_PLANS = {
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_sort: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  plan_cache_mode: "force_generic_plan",
} as const;

/** True when connections keep their settings. A transaction-mode pooler lends a connection for one transaction. */
export function hasOwnSessions({ prepare = true }: DatabaseOptions): boolean {
  return prepare;
}

/** The start-up parameters of a connection. A pooler refuses parameters that it does not know, so it gets only the name. */
export function sessionParameters(
  options: DatabaseOptions,
  statementLimitMs: number,
): Readonly<Record<string, string>> {
  const name = { application_name: options.applicationName ?? "threadmill" };
  if (!hasOwnSessions(options)) return name;
  return {
    ...name,
    jit: "off",
    statement_timeout: String(statementLimitMs),
    ...(options.hasSlowReads && { max_parallel_workers_per_gather: "0" }),
    ...(options.avoidTableScans && INDEXED_PLANS),
  };
}
