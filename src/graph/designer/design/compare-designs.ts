import type { Design } from "./design.ts";
import { number, totalCost } from "./estimate-costs.ts";
import type { Quantities } from "../request/requirements.ts";

const SHOWN: Record<keyof Quantities, { label: string; show: (value: number) => string }> = {
  latencyMs: { label: "Latency", show: (value) => `${number(value)} ms` },
  requestsPerSecond: { label: "Load", show: (value) => `${number(value)}/s` },
  monthlyBudgetUsd: { label: "Budget", show: (value) => `$${number(value)} a month` },
  dataRows: { label: "Examples", show: number },
  dataGb: { label: "Data", show: (value) => `${number(value)} GB` },
  teamSize: { label: "Team", show: (value) => (value === 1 ? "1 person" : `${number(value)} people`) },
  deadlineWeeks: { label: "Deadline", show: (value) => (value === 1 ? "1 week" : `${number(value)} weeks`) },
  qualityTarget: { label: "Quality target", show: (value) => `${number(value * 100)} %` },
};

/** The stated numbers of a design, each as label and value. */
export function shownQuantities(quantities: Quantities): { label: string; value: string }[] {
  return (Object.keys(SHOWN) as (keyof Quantities)[]).flatMap((name) => {
    const value = quantities[name];
    return value === null ? [] : [{ label: SHOWN[name].label, value: SHOWN[name].show(value) }];
  });
}

/** What differs between two designs, one line each, requirements first. */
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
    lines.push(`Nodes: ${number(before.capacity.nodes)} → ${number(after.capacity.nodes)}`);
  const [oldCost, newCost] = [totalCost(before.costs), totalCost(after.costs)];
  if (oldCost !== newCost) lines.push(`Cost: $${number(oldCost)} → $${number(newCost)} a month`);
  return lines;
}
