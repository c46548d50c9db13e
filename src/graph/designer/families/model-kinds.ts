/** The serving figures and needs of a kind of model, on one ordinary cloud node. */
export interface KindProfile {
  label: string;
  /** The 95th percentile for one prediction, in milliseconds. */
  latencyMs: number;
  requestsPerSecondPerNode: number;
  nodeUsdPerMonth: number;
  /** A provider's price for a thousand requests. */
  usdPerThousand: number;
  trainingHours: number;
  trainingUsdPerHour: number;
  /** Weeks from the start to the first release, for a team of two. */
  weeks: number;
  needsGpu: boolean;
  fitsDevice: boolean;
  explainable: boolean;
  external: boolean;
  neural: boolean;
}

const base = {
  usdPerThousand: 0,
  trainingHours: 0,
  trainingUsdPerHour: 0,
  needsGpu: false,
  fitsDevice: true,
  explainable: true,
  external: false,
  neural: false,
};
const neural = { ...base, explainable: false, neural: true };
const onGpus = { ...neural, trainingUsdPerHour: 2.5, needsGpu: true, fitsDevice: false };

export const MODEL_KINDS = {
  rules: {
    ...base,
    label: "rules or statistics",
    latencyMs: 2,
    requestsPerSecondPerNode: 2_000,
    nodeUsdPerMonth: 60,
    weeks: 2,
  },
  linear: {
    ...base,
    label: "linear model",
    latencyMs: 5,
    requestsPerSecondPerNode: 1_500,
    nodeUsdPerMonth: 60,
    trainingHours: 1,
    trainingUsdPerHour: 0.4,
    weeks: 3,
  },
  trees: {
    ...base,
    label: "boosted trees",
    latencyMs: 15,
    requestsPerSecondPerNode: 500,
    nodeUsdPerMonth: 120,
    trainingHours: 3,
    trainingUsdPerHour: 0.8,
    weeks: 5,
  },
  "small-neural": {
    ...neural,
    label: "compact neural network",
    latencyMs: 40,
    requestsPerSecondPerNode: 150,
    nodeUsdPerMonth: 150,
    trainingHours: 8,
    trainingUsdPerHour: 1.2,
    weeks: 7,
  },
  "large-neural": {
    ...onGpus,
    label: "large neural network on GPUs",
    latencyMs: 90,
    requestsPerSecondPerNode: 80,
    nodeUsdPerMonth: 550,
    trainingHours: 40,
    weeks: 10,
  },
  "hosted-model": {
    ...neural,
    label: "hosted foundation model by API",
    latencyMs: 1_500,
    requestsPerSecondPerNode: 100,
    nodeUsdPerMonth: 60,
    usdPerThousand: 1.5,
    weeks: 3,
    fitsDevice: false,
    external: true,
  },
  "own-llm": {
    ...onGpus,
    label: "open language model on own GPUs",
    latencyMs: 1_200,
    requestsPerSecondPerNode: 5,
    nodeUsdPerMonth: 1_100,
    trainingHours: 10,
    weeks: 8,
  },
} as const satisfies Record<string, KindProfile>;

export type ModelKind = keyof typeof MODEL_KINDS;
