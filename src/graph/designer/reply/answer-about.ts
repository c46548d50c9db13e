import { weighOptions } from "../design/choose-model.ts";
import type { WeighedOption } from "../design/choose-model.ts";
import type { Design } from "../design/design.ts";
import { formatNumber, totalCost } from "../design/estimate-costs.ts";
import { familyNamed } from "../families/find-family.ts";
import { MODEL_KINDS } from "../families/model-kinds.ts";
import type { ModelKind } from "../families/model-kinds.ts";
import { bullets, stageText } from "./markdown.ts";
import type { Topic } from "../request/read-intent.ts";

const KIND_WORDS: readonly [RegExp, readonly ModelKind[]][] = [
  [/neural|deep[- ]learning|transformers?|lstm|\bcnn\b|\bgnn\b|graph/i, ["large-neural", "small-neural"]],
  [/llms?|gpt|claude|language models?|foundation|openai|anthropic|\bapi\b|hosted/i, ["hosted-model", "own-llm"]],
  [/open[- ]source|llama|mistral|own (?:model|gpu)/i, ["own-llm", "hosted-model"]],
  [/xgboost|boost\w*|trees?|forest|lightgbm|catboost/i, ["trees"]],
  [/linear|logistic|regression|scorecard|simple(?:r)? model|matrix factori[sz]ation/i, ["linear"]],
  [/rules?|heuristics?|statistics|thresholds?|no (?:ml|model)|without (?:ml|machine learning)/i, ["rules"]],
];

const ANSWERS: Record<Exclude<Topic, "why-not" | "compare">, (design: Design) => string> = {
  cost: (design) =>
    `### Cost\n\n${bullets(design.costs.map(({ item, usdPerMonth }) => `${item} = $${formatNumber(usdPerMonth)}`))}\n\nTogether **$${formatNumber(totalCost(design.costs))} a month**. ${cheaper(design)}`,
  risk: (design) => `### Risks\n\n${bullets(design.risks.map(({ risk, mitigation }) => `**${risk}**: ${mitigation}`))}`,
  rollout: (design) => `### Rollout\n\n${bullets(design.policy)}`,
  evaluation: (design) => stages(design, ["Evaluation", "Baseline", "Monitoring"]),
  data: (design) => stages(design, ["Data", "Features", "Retraining"]),
  scale: (design) =>
    `${stages(design, ["Serving"])}\n- **Peak**: ${formatNumber(design.capacity.peakPerSecond)} requests a second\n- **Nodes**: ${design.capacity.sum}`,
  timeline: (design) => stages(design, ["Timeline", "Model"]),
  model: (design) =>
    `${design.rationale}\n\n${bullets(design.alternatives.map((one) => `**${one.name}** was not chosen: ${one.reason}. It wins when ${one.winsWhen}.`))}`,
  summary: (design) =>
    `### ${design.title}\n\n${design.rationale} It costs $${formatNumber(totalCost(design.costs))} a month.\n\n${bullets(design.plan.map(stageText))}`,
};

/** Answers a question about a design from that design alone. */
export function answerAbout(request: string, topic: Topic, design: Design): string {
  return topic === "why-not" || topic === "compare" ? answerOptions(request, topic, design) : ANSWERS[topic](design);
}

function answerOptions(request: string, topic: "why-not" | "compare", design: Design): string {
  const weighed = weighOptions(familyNamed(design.requirements.task), design.requirements);
  const asked = new Set(KIND_WORDS.filter(([words]) => words.test(request)).flatMap(([, kinds]) => kinds));
  const named = weighed.filter(({ option }) => asked.has(option.kind));
  const chosen = weighed[0];
  if (topic === "compare") {
    const shown = named.some((one) => one !== chosen) ? [chosen, ...named.filter((one) => one !== chosen)] : weighed;
    return `### Compared for this design\n\n${comparison(shown)}\n\nChosen: **${chosen.option.name}**, because ${chosen.option.because}.`;
  }
  const other = named.find((one) => one !== chosen);
  if (named.includes(chosen) && !other)
    return `The design already uses it: **${chosen.option.name}**, because ${chosen.option.because}.`;
  if (!other)
    return `Among the usual ways to build ${design.requirements.task} nothing like that stands out. Considered:\n\n${bullets(design.alternatives.map((one) => `**${one.name}**: wins when ${one.winsWhen}`))}`;
  const why = design.alternatives.find((one) => one.name === other.option.name)?.reason ?? "";
  return `**${other.option.name}** would be the way, because ${other.option.because}. It was not chosen: ${why}. It wins when ${other.option.winsWhen}.\n\n${comparison([chosen, other])}`;
}

function comparison(options: readonly WeighedOption[]): string {
  const rows = options.map(({ option, usdPerMonth, against }) => {
    const kind = MODEL_KINDS[option.kind];
    return `| ${option.name} | ${option.quality} of 5 | ${formatNumber(kind.latencyMs)} ms | $${formatNumber(usdPerMonth)} | ${formatNumber(option.minRows)} | ${kind.explainable ? "yes" : "no"} | ${against.length === 0 ? "yes" : against.join("; ")} |`;
  });
  return [
    "| Option | Quality | Latency | A month | Examples | Explains itself | Fits what you asked |",
    "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ...rows,
  ].join("\n");
}

function cheaper(design: Design): string {
  const total = totalCost(design.costs);
  const [best] = design.alternatives
    .filter((one) => one.usdPerMonth < total)
    .toSorted((a, b) => a.usdPerMonth - b.usdPerMonth);
  return best
    ? `The cheapest other way is ${best.name} at $${formatNumber(best.usdPerMonth)}, but ${best.reason}.`
    : "No other way considered is cheaper; lower load or scoring in batches would be.";
}

function stages(design: Design, names: readonly string[]): string {
  return bullets(design.plan.filter(({ stage }) => names.includes(stage)).map(stageText));
}
