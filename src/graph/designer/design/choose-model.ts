import { estimateCosts, formatNumber, totalCost } from "./estimate-costs.ts";
import { MODEL_KINDS } from "../families/model-kinds.ts";
import { ASSUMED } from "../request/requirements.ts";
import type { Requirements } from "../request/requirements.ts";
import type { ModelOption, TaskFamily } from "../families/task-family.ts";

/** An option of a family, weighed against the requirements. */
export interface WeighedOption {
  option: ModelOption;
  usdPerMonth: number;
  /** The requirements that it cannot meet; empty when it meets all. */
  against: string[];
}

/** Sorts the options of a family, best first. */
export function weighOptions(family: TaskFamily, requirements: Requirements): [WeighedOption, ...WeighedOption[]] {
  const weighed = family.options.map((option) => ({
    option,
    usdPerMonth: totalCost(estimateCosts(option, requirements)),
    against: reasonsAgainst(option, requirements),
  }));
  const cheapFirst = requirements.constraints.includes("cost before accuracy");
  weighed.sort(
    (one, other) =>
      one.against.length - other.against.length ||
      (cheapFirst ? one.usdPerMonth - other.usdPerMonth : 0) ||
      other.option.quality - one.option.quality ||
      one.usdPerMonth - other.usdPerMonth,
  );
  return weighed as [WeighedOption, ...WeighedOption[]];
}

function reasonsAgainst(option: ModelOption, requirements: Requirements): string[] {
  const kind = MODEL_KINDS[option.kind];
  const has = (constraint: Requirements["constraints"][number]) => requirements.constraints.includes(constraint);
  const { latencyMs, monthlyBudgetUsd, deadlineWeeks } = requirements;
  const rows = has("few or no labels") ? 0 : (requirements.dataRows ?? ASSUMED.dataRows);
  const cost = totalCost(estimateCosts(option, requirements));
  const weeks = weeksNeeded(option, requirements);
  const limits: [boolean, string][] = [
    [
      rows < option.minRows,
      `it needs about ${formatNumber(option.minRows)} labelled examples, and there are ${rows === 0 ? "hardly any" : formatNumber(rows)}${requirements.dataRows === null && rows > 0 ? " (assumed)" : ""}`,
    ],
    [
      latencyMs !== null && kind.latencyMs > latencyMs,
      `one answer takes about ${formatNumber(kind.latencyMs)} ms, over the ${formatNumber(latencyMs ?? 0)} ms asked for`,
    ],
    [
      monthlyBudgetUsd !== null && cost > monthlyBudgetUsd,
      `it costs about $${formatNumber(cost)} a month, over the budget of $${formatNumber(monthlyBudgetUsd ?? 0)}`,
    ],
    [has("no GPU") && kind.needsGpu, "it needs GPUs"],
    [has("no neural network") && kind.neural, "it is a neural network"],
    [has("runs on the device") && !kind.fitsDevice, "it does not fit on a device"],
    [has("decisions can be explained") && !kind.explainable, "its single decisions cannot be explained"],
    [
      (has("no external API") || has("data stays on own servers") || has("personal data stays protected")) &&
        kind.external,
      "it sends the data to a provider",
    ],
    [
      deadlineWeeks !== null && weeks > deadlineWeeks,
      `it takes about ${weeks} weeks, and there are ${deadlineWeeks ?? 0}`,
    ],
  ];
  return limits.filter(([applies]) => applies).map(([, reason]) => reason);
}

/** Weeks from the start to the first release, for the stated team. */
export function weeksNeeded(option: ModelOption, { teamSize }: Requirements): number {
  const share = 2 / Math.min(teamSize ?? ASSUMED.teamSize, 5);
  // Half of the time is waiting for data, reviews and experiments. More people do not shorten it.
  return Math.ceil(MODEL_KINDS[option.kind].weeks * (0.5 + 0.5 * share));
}
