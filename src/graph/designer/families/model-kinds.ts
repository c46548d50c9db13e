/** How a kind of model is served and what it asks for; figures are for one ordinary cloud node. */
export interface KindProfile {
  label: string;
  /** Time of one prediction at the 95th percentile, in milliseconds. */
  latencyMs: number;
  requestsPerSecondPerNode: number;
  nodeUsdPerMonth: number;
  /** What an outside provider charges for a thousand requests. */
  usdPerThousand: number;
  trainingHours: number;
  trainingUsdPerHour: number;
  /** From nothing to the first release, for a team of two. */
  weeks: number;
  needsGpu: boolean;
  fitsDevice: boolean;
  explainable: boolean;
  external: boolean;
  neural: boolean;
}

const base = {
  usdPerThousand: 0,
  needsGpu: false,
  fitsDevice: true,
  explainable: true,
  external: false,
  neural: false,
};

export const MODEL_KINDS = {
  rules: {
    ...base,
    label: "rules or statistics",
    latencyMs: 2,
    requestsPerSecondPerNode: 2_000,
    nodeUsdPerMonth: 60,
    trainingHours: 0,
    trainingUsdPerHour: 0,
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
    ...base,
    label: "compact neural network",
    latencyMs: 40,
    requestsPerSecondPerNode: 150,
    nodeUsdPerMonth: 150,
    trainingHours: 8,
    trainingUsdPerHour: 1.2,
    weeks: 7,
    explainable: false,
    neural: true,
  },
  "large-neural": {
    ...base,
    label: "large neural network on GPUs",
    latencyMs: 90,
    requestsPerSecondPerNode: 80,
    nodeUsdPerMonth: 550,
    trainingHours: 40,
    trainingUsdPerHour: 2.5,
    weeks: 10,
    needsGpu: true,
    fitsDevice: false,
    explainable: false,
    neural: true,
  },
  "hosted-model": {
    ...base,
    label: "hosted foundation model by API",
    latencyMs: 1_500,
    requestsPerSecondPerNode: 100,
    nodeUsdPerMonth: 60,
    usdPerThousand: 1.5,
    trainingHours: 0,
    trainingUsdPerHour: 0,
    weeks: 3,
    fitsDevice: false,
    explainable: false,
    external: true,
    neural: true,
  },
  "own-llm": {
    ...base,
    label: "open language model on own GPUs",
    latencyMs: 1_200,
    requestsPerSecondPerNode: 5,
    nodeUsdPerMonth: 1_100,
    trainingHours: 10,
    trainingUsdPerHour: 2.5,
    weeks: 8,
    needsGpu: true,
    fitsDevice: false,
    explainable: false,
    neural: true,
  },
} as const satisfies Record<string, KindProfile>;

export type ModelKind = keyof typeof MODEL_KINDS;
