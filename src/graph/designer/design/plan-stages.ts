import { weeksNeeded } from "./choose-model.ts";
import { formatNumber, planCapacity } from "./estimate-costs.ts";
import { MODEL_KINDS } from "../families/model-kinds.ts";
import { ASSUMED } from "../request/requirements.ts";
import type { Requirements } from "../request/requirements.ts";
import type { ModelOption, TaskFamily } from "../families/task-family.ts";

/** One part of a plan. */
export interface Stage {
  stage: string;
  choice: string;
}

/** Plans a system stage by stage, from its data to its timeline. */
export function planStages(family: TaskFamily, option: ModelOption, requirements: Requirements): Stage[] {
  return [
    { stage: "Data", choice: dataStage(family, requirements) },
    { stage: "Features", choice: family.features },
    { stage: "Baseline", choice: `${family.baseline}; no model ships that does not beat it` },
    { stage: "Model", choice: `${option.name}, because ${option.because}` },
    { stage: "Evaluation", choice: evaluationStage(family, requirements) },
    { stage: "Serving", choice: servingStage(option, requirements) },
    {
      stage: "Monitoring",
      choice:
        "input drift (population stability above 0.2 alarms), output drift, delayed outcomes, latency and cost, each with an owner",
    },
    { stage: "Retraining", choice: family.retrain },
    { stage: "Timeline", choice: timelineStage(option, requirements) },
  ];
}

function dataStage(family: TaskFamily, { dataRows, constraints }: Requirements): string {
  const has = constraints.includes("few or no labels")
    ? "; label 500 cases first, the most uncertain ones, two people each"
    : dataRows === null
      ? ""
      : `; ${formatNumber(dataRows)} examples, ${dataRows < 1_000 ? "split by 5-fold cross-validation" : "the newest 20 % held out"}`;
  return `${family.data}${has}`;
}

function evaluationStage(family: TaskFamily, { qualityTarget }: Requirements): string {
  const target =
    qualityTarget === null
      ? `release at ${family.threshold}`
      : `release at the ${formatNumber(qualityTarget * 100)} % asked for, with a 95 % confidence interval`;
  return `${family.metric}; ${target}; then ${family.online}`;
}

function servingStage(option: ModelOption, requirements: Requirements): string {
  const kind = MODEL_KINDS[option.kind];
  const { constraints } = requirements;
  const place = constraints.includes("data stays on own servers") ? " on own servers" : "";
  if (constraints.includes("runs on the device"))
    return `${kind.neural ? "an 8-bit quantised model" : "a model of a few megabytes"} on the device, updated over the air, about ${formatNumber(kind.latencyMs)} ms each`;
  const { nodes, sum } = planCapacity(option, requirements);
  const count = `${formatNumber(nodes)} ${nodes === 1 ? "node" : "nodes"}${place} (${sum})`;
  if (constraints.includes("scored in batches"))
    return `a nightly job on ${count}, results in a table that is read by key`;
  const limit = requirements.latencyMs ?? ASSUMED.latencyMs;
  const fresh = constraints.includes("features are fresh within seconds") ? ", features kept fresh by a stream" : "";
  const memory = limit <= 60 ? ", features precomputed in memory" : "";
  const slow = kind.latencyMs > limit ? "; the first words are streamed" : "";
  return `a stateless service on ${count}${memory}${fresh}; about ${formatNumber(kind.latencyMs)} ms per answer${slow}`;
}

function timelineStage(option: ModelOption, requirements: Requirements): string {
  const weeks = weeksNeeded(option, requirements);
  const team = requirements.teamSize ?? ASSUMED.teamSize;
  const third = Math.max(1, Math.round(weeks / 3));
  return `${weeks} weeks for ${team === 1 ? "one person" : `${team} people`}${requirements.teamSize === null ? " (assumed)" : ""}: baseline and data by week ${third}, model by week ${Math.min(weeks, third * 2)}, rollout by week ${weeks}`;
}
