/**
 * What a worker's heartbeat needs of the queue, and nothing else of it: its thread has a heap of its own, into which
 * every module that it imports is loaded a second time.
 */
export { claimKey, heartbeat, nameJobs } from "./fleet/heartbeat.ts";
export { reportWorker } from "./fleet/register-worker.ts";
