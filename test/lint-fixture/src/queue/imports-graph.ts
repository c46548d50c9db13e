// violates: layers/cross-layer
import { buildMlWorkflow } from "#graph";
export const build = buildMlWorkflow;
