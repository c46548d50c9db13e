// violates: layers/cross-layer
export { pollDelayMs } from "../worker/poll-delay.ts";
