// violates: layers/cross-layer
export { claim } from "../../queue/claim/claim.ts";
