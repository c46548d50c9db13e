/** Takes ready jobs for a worker. Invariant: a claim raises the attempt, so that no two runs share a fencing token. */
export { claim, claimLimited } from "./claim.ts";
export type { Claimed, Line } from "./claim-rows.ts";
export { completeAndClaim } from "./complete-and-claim.ts";
export { flushClaims } from "../flush.ts";
