// violates: layers/cross-layer
export { loadEnv } from "../env.ts";
