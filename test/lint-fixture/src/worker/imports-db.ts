// violates: layers/cross-layer
import type { Database } from "#db";
export type Mine = Database;
