/**
 * LangGraph checkpoints in PostgreSQL. This layer owns the storage of a run's state; it must not know any graph.
 * Invariant: a write takes effect only while the claim that owns the run holds its lease.
 */
export { FencedSaver } from "./fenced-saver.ts";
export type { SaverOptions } from "./fenced-saver.ts";
export { migrateCheckpoints } from "./migrate-checkpoints.ts";
export { pruneCheckpoints } from "./prune-checkpoints.ts";
export type { Piggyback } from "./write-rows.ts";
