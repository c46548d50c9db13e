/** Stores jobs: one or many, in the caller's transaction, each key once. */
export { enqueue, findByKey } from "./enqueue.ts";
export { enqueueMany } from "./enqueue-many.ts";
