// violates: layers/cross-layer
export { holdsLease } from "../queue/fence.ts";
