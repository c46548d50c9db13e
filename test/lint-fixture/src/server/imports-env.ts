// violates: layers/cross-layer
import type { Settings } from "#env";
export type Mine = Settings;
