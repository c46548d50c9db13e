/** The verbs of operators: redrive, discard, prioritize, pause, limit and prune. */
export { redrive } from "./redrive.ts";
export { discard } from "./discard.ts";
export { changePriority } from "./change-priority.ts";
export { pauseJobType, pauseQueue } from "./pause.ts";
export { prune, pruneLimitKeys, pruneWorkers } from "./prune.ts";
export { createQueue, listQueues, setQueueLimits } from "./queue-limits.ts";
