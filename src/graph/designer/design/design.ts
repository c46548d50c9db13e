/**
 * Makes a design from requirements: chooses the model, plans the stages, estimates capacity and costs, compares versions.
 * This folder must not know messages, replies or graphs.
 * Invariant: the same requirements always give the same design.
 */
import { compareDesigns } from "./compare-designs.ts";
import { weighOptions } from "./choose-model.ts";
import type { WeighedOption } from "./choose-model.ts";
import { estimateCosts, formatNumber, planCapacity } from "./estimate-costs.ts";
import type { Capacity, Cost } from "./estimate-costs.ts";
import { familyNamed } from "../families/find-family.ts";
import { MODEL_KINDS } from "../families/model-kinds.ts";
import { planStages } from "./plan-stages.ts";
import type { Stage } from "./plan-stages.ts";
import type { Requirements } from "../request/requirements.ts";
import type { Risk } from "../families/task-family.ts";

export interface Alternative {
  name: string;
  kind: string;
  usdPerMonth: number;
  quality: number;
  /** Why it was not chosen. */
  reason: string;
  winsWhen: string;
}

export interface Design {
  title: string;
  requirements: Requirements;
  plan: Stage[];
  /** `quality` is expected relative to the family's other options, from 1 to 5. */
  model: { name: string; kind: string; quality: number; reason: string };
  capacity: Capacity;
  /** The requirements that the chosen model cannot meet. */
  conflicts: string[];
  alternatives: Alternative[];
  costs: Cost[];
  risks: Risk[];
  /** Rollout and operation rules. */
  policy: string[];
  rationale: string;
  /** The differences from the version before; empty for the first. */
  diff: string[];
}

/** Makes the design for the requirements, with its differences from the one before. */
export function designSystem(requirements: Requirements, before: Design | null): Design {
  const family = familyNamed(requirements.task);
  const [chosen, ...others] = weighOptions(family, requirements);
  const { option } = chosen;
  const kind = MODEL_KINDS[option.kind];
  const costs = estimateCosts(option, requirements);
  const design: Design = {
    title: `${family.name.charAt(0).toUpperCase()}${family.name.slice(1)}`,
    requirements,
    model: { name: option.name, kind: kind.label, quality: option.quality, reason: option.because },
    capacity: planCapacity(option, requirements),
    plan: planStages(family, option, requirements),
    conflicts: chosen.against,
    alternatives: others.map((other) => toAlternative(other, chosen, requirements)),
    costs,
    risks: [...family.risks, ...addedRisks(requirements, kind.external)],
    policy: rollout(requirements, family.online),
    rationale: `Build ${option.name}: ${option.because}.`,
    diff: [],
  };
  return { ...design, diff: before === null ? [] : compareDesigns(before, design) };
}

function toAlternative(other: WeighedOption, chosen: WeighedOption, requirements: Requirements): Alternative {
  const { option, usdPerMonth, against } = other;
  const cheapFirst = requirements.constraints.includes("cost before accuracy");
  const weaker =
    cheapFirst && usdPerMonth > chosen.usdPerMonth
      ? `it costs $${formatNumber(usdPerMonth - chosen.usdPerMonth)} more a month, and cost comes first`
      : `its expected quality is ${option.quality} of 5 against ${chosen.option.quality} for the chosen one`;
  return {
    name: option.name,
    kind: MODEL_KINDS[option.kind].label,
    usdPerMonth,
    quality: option.quality,
    reason: against.length > 0 ? against.join("; ") : weaker,
    winsWhen: option.winsWhen,
  };
}

function addedRisks({ constraints, deadlineWeeks, teamSize }: Requirements, external: boolean): Risk[] {
  const risks: Risk[] = [
    {
      risk: "training and serving compute features differently",
      mitigation: "one definition for both, compared on logged requests every day",
    },
  ];
  if (constraints.includes("personal data stays protected"))
    risks.push({
      risk: "personal data spreads into copies, logs and models",
      mitigation:
        "pseudonymise at the source, keep it in region, delete on request within 30 days, retrain after deletions",
    });
  if (constraints.includes("runs on the device"))
    risks.push({
      risk: "devices differ and update late",
      mitigation: "test on the three oldest supported devices and keep two model versions valid",
    });
  if (external)
    risks.push({
      risk: "the provider changes, slows down or raises its price",
      mitigation: "pin the model version, keep a second provider behind the same interface, cap the monthly spend",
    });
  if ((deadlineWeeks !== null && deadlineWeeks <= 6) || teamSize === 1)
    risks.push({
      risk: "too little time or too few hands",
      mitigation: "ship the baseline behind the final interface first, then swap the model",
    });
  return risks;
}

function rollout({ constraints }: Requirements, online: string): string[] {
  const steps = constraints.includes("runs on the device")
    ? ["Release to 1 %, 10 %, then all devices, three days apart; withdraw by a remote switch"]
    : constraints.includes("scored in batches")
      ? ["Run beside the current process for four cycles and compare; then switch, keeping the old run for two cycles"]
      : ["Shadow for one week, then 5 % of traffic for one week, then all; one switch back"];
  return [
    ...steps,
    `Decide on ${online}`,
    "Roll back by itself when errors exceed 1 % or the 95th percentile of latency exceeds its limit for 10 minutes",
    ...(constraints.includes("decisions can be explained")
      ? ["Store reasons, inputs and model version with each decision, for as long as it can be contested"]
      : []),
  ];
}
