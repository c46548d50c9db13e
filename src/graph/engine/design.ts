import { TASK_FAMILIES } from "./catalog.ts";
import type { TaskFamily } from "./catalog.ts";

/** What a thread has asked for so far; null where nothing was said. */
export interface Requirements {
  task: string;
  latencyMs: number | null;
  requestsPerSecond: number | null;
  monthlyBudgetUsd: number | null;
  constraints: string[];
}

export interface Design {
  title: string;
  requirements: Requirements;
  plan: { stage: string; choice: string }[];
  alternatives: string[];
  costs: { item: string; usdPerMonth: number }[];
  risks: string[];
  policy: string[];
  rationale: string;
  diff: string[];
}

const CONSTRAINTS: readonly [RegExp, string][] = [
  [/gdpr|privacy|personal data|hipaa|patient/i, "personal data stays in region, pseudonymised, deletable"],
  [/on[- ]prem|own servers|air[- ]gapped/i, "runs on the customer's own servers"],
  [/edge|mobile|on[- ]device|offline/i, "runs on the device"],
  [/explain|interpretab|regulat/i, "each decision can be explained"],
  [/real[- ]?time|stream/i, "features are fresh within seconds"],
  [/batch|nightly|daily/i, "scored in batches"],
  [/cheap|low cost|small budget|save money/i, "cost before accuracy"],
];

const MULTIPLES: Record<string, number> = { k: 1_000, m: 1_000_000, thousand: 1_000, million: 1_000_000 };

/** The design that a request asks for, on top of the one before; null when it names nothing that can be designed. */
export function designSystem(request: string, before: Design | null): Design | null {
  const family = TASK_FAMILIES.find((candidate) => candidate.words.test(request));
  const stated = readRequirements(request);
  const saysSomething =
    stated.latencyMs !== null ||
    stated.requestsPerSecond !== null ||
    stated.monthlyBudgetUsd !== null ||
    stated.constraints.length > 0;
  const chosen =
    before === null
      ? family
      : (TASK_FAMILIES.find((candidate) => candidate.name === before.requirements.task) ?? family);
  if (!chosen || (before !== null && !saysSomething)) return null;
  const requirements: Requirements = {
    task: chosen.name,
    latencyMs: stated.latencyMs ?? before?.requirements.latencyMs ?? null,
    requestsPerSecond: stated.requestsPerSecond ?? before?.requirements.requestsPerSecond ?? null,
    monthlyBudgetUsd: stated.monthlyBudgetUsd ?? before?.requirements.monthlyBudgetUsd ?? null,
    constraints: [...new Set([...(before?.requirements.constraints ?? []), ...stated.constraints])],
  };
  return {
    title: before?.title ?? `${chosen.name[0]?.toUpperCase()}${chosen.name.slice(1)}`,
    requirements,
    plan: planStages(chosen, requirements),
    alternatives: [chosen.alternative],
    costs: estimateCosts(requirements),
    risks: [chosen.risk, "training and serving compute features differently: share one definition"],
    policy: [
      "shadow first, then 5 % of traffic, then all; one switch back",
      "retrain on a schedule, release only past the offline gate",
    ],
    rationale: `The task is ${chosen.name}: start from ${chosen.baseline}, which every later model must beat on ${chosen.metric}.`,
    diff: before === null ? [] : compare(before.requirements, requirements),
  };
}

function readRequirements(request: string): Omit<Requirements, "task"> {
  const latency = /(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|seconds?)\b/i.exec(request);
  const rate =
    /(\d[\d,.]*)\s*(k|m|thousand|million)?\s*(?:requests?|queries|transactions|rps|qps|events)\s*(?:per|a|\/|each)?\s*(?:second|s)?/i.exec(
      request,
    );
  const budget = /\$\s*(\d[\d,.]*)\s*(k|m)?/i.exec(request);
  const amount = (digits: string | undefined, unit: string | undefined) =>
    Number((digits ?? "").replaceAll(",", "").replace(/\.$/, "")) * (MULTIPLES[unit?.toLowerCase() ?? ""] ?? 1);
  return {
    latencyMs: latency ? Number(latency[1]) * (/^m/i.test(latency[2] ?? "") ? 1 : 1_000) : null,
    requestsPerSecond: rate ? amount(rate[1], rate[2]) : null,
    monthlyBudgetUsd: budget ? amount(budget[1], budget[2]) : null,
    constraints: CONSTRAINTS.filter(([words]) => words.test(request)).map(([, constraint]) => constraint),
  };
}

function planStages(family: TaskFamily, { latencyMs, constraints }: Requirements): Design["plan"] {
  const fast = latencyMs !== null && latencyMs <= 50;
  const onDevice = constraints.includes("runs on the device");
  const serving = onDevice
    ? "a quantised model on the device, updated over the air"
    : fast
      ? `precomputed features in memory and a compiled model, to answer within ${latencyMs} ms`
      : `a stateless service behind a queue${latencyMs === null ? "" : `, to answer within ${latencyMs} ms`}`;
  return [
    { stage: "Data", choice: family.data },
    { stage: "Baseline", choice: family.baseline },
    { stage: "Model", choice: family.model },
    { stage: "Evaluation", choice: family.metric },
    { stage: "Serving", choice: serving },
    {
      stage: "Monitoring",
      choice: "input drift, output drift, delayed outcomes and latency, each with an owner and an alarm",
    },
  ];
}

const RPS_PER_NODE = 200;
const NODE_USD_PER_MONTH = 150;

function estimateCosts({ requestsPerSecond }: Requirements): Design["costs"] {
  const nodes = Math.max(2, Math.ceil((requestsPerSecond ?? 50) / RPS_PER_NODE));
  return [
    {
      item: `Serving: ${nodes} nodes at ${NODE_USD_PER_MONTH} USD (${RPS_PER_NODE} requests/s each, two at least)`,
      usdPerMonth: nodes * NODE_USD_PER_MONTH,
    },
    { item: "Training: 4 runs a month of 10 hours at 3 USD", usdPerMonth: 120 },
    { item: "Storage and monitoring", usdPerMonth: 200 },
  ];
}

function compare(before: Requirements, after: Requirements): string[] {
  const shown = (value: Requirements[keyof Requirements]) =>
    value === null ? "not stated" : Array.isArray(value) ? value.join(", ") || "none" : String(value);
  return (Object.keys(after) as (keyof Requirements)[])
    .filter((key) => shown(before[key]) !== shown(after[key]))
    .map((key) => `${key}: ${shown(before[key])} → ${shown(after[key])}`);
}
