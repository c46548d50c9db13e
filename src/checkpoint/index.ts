/**
 * LangGraph checkpoints in PostgreSQL. It owns how a run's state is stored; it must never know what a graph does.
 * Invariant: a write takes effect only while the claim that owns the run holds its lease.
 */
export type { Fence, Piggyback } from "./fence.ts";
export { FencedSaver } from "./fenced-saver.ts";
export { migrateCheckpoints } from "./migrate-checkpoints.ts";
export { pruneCheckpoints } from "./prune-checkpoints.ts";
