import { MODEL_KINDS } from "../families/model-kinds.ts";
import { ASSUMED } from "../request/requirements.ts";
import type { Requirements } from "../request/requirements.ts";
import type { ModelOption } from "../families/task-family.ts";

export interface Cost {
  /** The thing paid for, with its calculation. */
  item: string;
  usdPerMonth: number;
}

export interface Capacity {
  peakPerSecond: number;
  nodes: number;
  /** The calculation of the node count. */
  sum: string;
}

/** Peak load over average load. */
const PEAK_FACTOR = 3;
/** The planned share of a node's capacity. */
const USEFUL_SHARE = 0.6;
const SECONDS_PER_MONTH = 2_592_000;
const RUNS_PER_MONTH = 4;
const KB_PER_ROW = 2;

/** Plans the nodes for the peak load. */
export function planCapacity(option: ModelOption, requirements: Requirements): Capacity {
  const kind = MODEL_KINDS[option.kind];
  const average = requirements.requestsPerSecond ?? ASSUMED.requestsPerSecond;
  const peakPerSecond = Math.ceil(average * PEAK_FACTOR);
  if (requirements.constraints.includes("runs on the device"))
    return { peakPerSecond, nodes: 0, sum: "none: each device computes for itself" };
  if (requirements.constraints.includes("scored in batches")) {
    const hours = (average * 86_400) / (kind.requestsPerSecondPerNode * USEFUL_SHARE) / 3_600;
    const nodes = Math.max(1, Math.ceil(hours / 4));
    return {
      peakPerSecond,
      nodes,
      sum: `${formatNumber(average * 86_400)} a day ÷ (${formatNumber(kind.requestsPerSecondPerNode)}/s × ${USEFUL_SHARE}) = ${formatNumber(Number(hours.toPrecision(2)))} h, done within 4 h`,
    };
  }
  const needed = Math.ceil(peakPerSecond / (kind.requestsPerSecondPerNode * USEFUL_SHARE));
  const nodes = Math.max(2, needed);
  return {
    peakPerSecond,
    nodes,
    sum: `${formatNumber(average)}/s × ${PEAK_FACTOR} at peak ÷ (${formatNumber(kind.requestsPerSecondPerNode)}/s per node × ${USEFUL_SHARE} load) = ${needed}${needed < nodes ? ", two at least" : ""}`,
  };
}

/** Estimates the monthly costs, item by item. */
export function estimateCosts(option: ModelOption, requirements: Requirements): Cost[] {
  const kind = MODEL_KINDS[option.kind];
  const average = requirements.requestsPerSecond ?? ASSUMED.requestsPerSecond;
  const { nodes } = planCapacity(option, requirements);
  const batch = requirements.constraints.includes("scored in batches");
  const nodeUsd = batch ? Math.round(kind.nodeUsdPerMonth / 6) : kind.nodeUsdPerMonth;
  const costs: Cost[] = [
    nodes === 0
      ? { item: "Delivery of model updates to devices", usdPerMonth: 40 }
      : {
          item: `Serving: ${formatNumber(nodes)} × $${formatNumber(nodeUsd)}${batch ? " (4 hours a day)" : ""}`,
          usdPerMonth: nodes * nodeUsd,
        },
  ];
  if (kind.usdPerThousand > 0) {
    const calls = average * SECONDS_PER_MONTH;
    costs.push({
      item: `Provider: ${formatNumber(Number((calls / 1_000).toPrecision(3)))} thousand calls × $${kind.usdPerThousand}`,
      usdPerMonth: Math.round((calls / 1_000) * kind.usdPerThousand),
    });
  }
  if (kind.trainingHours > 0)
    costs.push({
      item: `Training: ${RUNS_PER_MONTH} runs × ${kind.trainingHours} h × $${kind.trainingUsdPerHour}`,
      usdPerMonth: Math.ceil(RUNS_PER_MONTH * kind.trainingHours * kind.trainingUsdPerHour),
    });
  const gigabytes = Math.max(
    10,
    requirements.dataGb ?? ((requirements.dataRows ?? ASSUMED.dataRows) * KB_PER_ROW) / 1e6,
  );
  costs.push({
    item: `Data: ${formatNumber(Math.ceil(gigabytes))} GB × 2 copies × $0.10`,
    usdPerMonth: Math.ceil(gigabytes * 0.2),
  });
  costs.push({ item: "Monitoring and logs", usdPerMonth: 60 });
  if (requirements.constraints.includes("few or no labels"))
    costs.push({ item: "Labelling: 500 cases × $0.40", usdPerMonth: 200 });
  return costs;
}

export function totalCost(costs: readonly Cost[]): number {
  return costs.reduce((sum, cost) => sum + cost.usdPerMonth, 0);
}

// Shared, because constructing a formatter is slow.
const WHOLE = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 21 });
const ROUNDED = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

/** Formats a number with thousands separators. */
export function formatNumber(value: number): string {
  return (value >= 100 ? WHOLE : ROUNDED).format(value);
}
