// violates: layers/cross-layer
import { loadEnv } from "#env";
export const settings = loadEnv();
