// violates: layers/cross-layer
import { enqueue } from "#queue";
export const add = enqueue;
