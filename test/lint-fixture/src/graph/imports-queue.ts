// violates: layers/cross-layer
import { claim } from "#queue";
export const verb = claim;
