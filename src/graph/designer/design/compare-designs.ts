import type { Design } from "./design.ts";
import { formatNumber, totalCost } from "./estimate-costs.ts";
import type { Quantities } from "../request/requirements.ts";

const SHOWN: Record<keyof Quantities, { label: string; show: (value: number) => string }> = {
  latencyMs: { label: "Latency", show: (value) => `${formatNumber(value)} ms` },
  requestsPerSecond: { label: "Load", show: (value) => `${formatNumber(value)}/s` },
  monthlyBudgetUsd: { label: "Budget", show: (value) => `$${formatNumber(value)} a month` },
  dataRows: { label: "Examples", show: formatNumber },
  dataGb: { label: "Data", show: (value) => `${formatNumber(value)} GB` },
  teamSize: { label: "Team", show: (value) => (value === 1 ? "1 person" : `${formatNumber(value)} people`) },
  deadlineWeeks: { label: "Deadline", show: (value) => (value === 1 ? "1 week" : `${formatNumber(value)} weeks`) },
  qualityTarget: { label: "Quality target", show: (value) => `${formatNumber(value * 100)} %` },
};

/** Formats the stated numbers, each as label and value. */
export function shownQuantities(quantities: Quantities): { label: string; value: string }[] {
  return (Object.keys(SHOWN) as (keyof Quantities)[]).flatMap((name) => {
    const value = quantities[name];
    return value === null ? [] : [{ label: SHOWN[name].label, value: SHOWN[name].show(value) }];
  });
}

/** Lists the differences between two designs, requirements first. */
export function compareDesigns(before: Design, after: Design): string[] {
  const lines: string[] = [];
  if (before.requirements.task !== after.requirements.task)
    lines.push(`Task: ${before.requirements.task} → ${after.requirements.task}`);
  for (const name of Object.keys(SHOWN) as (keyof Quantities)[]) {
    const show = (value: number | null) => (value === null ? "not stated" : SHOWN[name].show(value));
    const [old, next] = [show(before.requirements[name]), show(after.requirements[name])];
    if (old !== next) lines.push(`${SHOWN[name].label}: ${old} → ${next}`);
  }
  const [old, next] = [before.requirements.constraints, after.requirements.constraints];
  lines.push(...next.filter((one) => !old.includes(one)).map((one) => `Added: ${one}`));
  lines.push(...old.filter((one) => !next.includes(one)).map((one) => `Dropped: ${one}`));
  if (before.model.name !== after.model.name) lines.push(`Model: ${before.model.name} → ${after.model.name}`);
  if (before.model.quality !== after.model.quality && before.requirements.task === after.requirements.task)
    lines.push(`Expected quality: ${before.model.quality} of 5 → ${after.model.quality} of 5`);
  if (before.capacity.nodes !== after.capacity.nodes)
    lines.push(`Nodes: ${formatNumber(before.capacity.nodes)} → ${formatNumber(after.capacity.nodes)}`);
  const [oldCost, newCost] = [totalCost(before.costs), totalCost(after.costs)];
  if (oldCost !== newCost) lines.push(`Cost: $${formatNumber(oldCost)} → $${formatNumber(newCost)} a month`);
  return lines;
}
