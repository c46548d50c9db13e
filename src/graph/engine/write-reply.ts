import type { Design } from "./design.ts";

const money = (usd: number) => `$${usd.toLocaleString("en-US")}`;

/** The reply to a request as Markdown: the new design, or what is needed to make one. */
export function writeReply(request: string, design: Design | null, isNew: boolean): string {
  if (!design) {
    return `I design machine-learning systems. Tell me what should be predicted, found or recommended, from which data, how fast and for how much: for example “detect card fraud at 2,000 transactions per second within 50 ms”. From “${request.trim().slice(0, 120)}” I cannot tell yet.`;
  }
  if (!isNew) return answerFrom(request, design);
  const { requirements } = design;
  const total = design.costs.reduce((sum, cost) => sum + cost.usdPerMonth, 0);
  const overBudget = requirements.monthlyBudgetUsd !== null && total > requirements.monthlyBudgetUsd;
  return [
    design.diff.length > 0 ? `**What changed**\n\n${list(design.diff)}` : `## ${design.title}`,
    design.rationale,
    `### Requirements\n\n${list([
      `Latency: ${requirements.latencyMs === null ? "200 ms (assumed)" : `${requirements.latencyMs} ms`}`,
      `Load: ${requirements.requestsPerSecond === null ? "50 requests/s (assumed)" : `${requirements.requestsPerSecond.toLocaleString("en-US")} requests/s`}`,
      `Budget: ${requirements.monthlyBudgetUsd === null ? "not stated" : `${money(requirements.monthlyBudgetUsd)} a month`}`,
      ...requirements.constraints,
    ])}`,
    `### Plan\n\n${design.plan.map((step, index) => `${index + 1}. **${step.stage}**: ${step.choice}`).join("\n")}`,
    `### Cost\n\n| Item | A month |\n| --- | ---: |\n${design.costs.map((cost) => `| ${cost.item} | ${money(cost.usdPerMonth)} |`).join("\n")}\n| **Total** | **${money(total)}** |${overBudget ? "\n\nThis is over the stated budget: lower the load target or score in batches." : ""}`,
    `### Risks\n\n${list(design.risks)}`,
    `### Alternatives\n\n${list(design.alternatives)}`,
    `### Rollout\n\n${list(design.policy)}`,
  ].join("\n\n");
}

function answerFrom(request: string, design: Design): string {
  if (/risk|wrong|fail/i.test(request)) return `### Risks of this design\n\n${list(design.risks)}`;
  if (/cost|budget|expens|price/i.test(request))
    return `### Cost\n\n${list(design.costs.map((cost) => `${cost.item}: ${money(cost.usdPerMonth)} a month`))}`;
  if (/why|alternative|instead|neural/i.test(request))
    return `${design.rationale}\n\nConsidered:\n\n${list(design.alternatives)}`;
  return `The present design stands: ${design.rationale}\n\n${list(design.plan.map((step) => `**${step.stage}**: ${step.choice}`))}\n\nState a latency, load, budget or constraint to change it.`;
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join("\n");
}
