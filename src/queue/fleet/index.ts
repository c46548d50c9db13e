/** The registry of workers and their heartbeats. The heartbeat thread loads this folder a second time: keep its imports few. */
export { heartbeat, nameJobs } from "./heartbeat.ts";
export type { HeldClaim } from "./heartbeat.ts";
export { reportWorker } from "./register-worker.ts";
export type { Offer } from "./register-worker.ts";
export type { Reaper } from "./reaping-delay.ts";
export { listWorkers } from "./list-workers.ts";
export { isRunSomewhere, listOffers } from "./list-offers.ts";
