// violates: layers/cross-layer
import type { Claim } from "#queue";
export type Mine = Claim;
