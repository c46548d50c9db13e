/**
 * Writes the engine's response as Markdown for the user.
 * This folder must not know graphs or the way a message is read.
 * Invariant: a reply states only facts and numbers of the design.
 */
import { answerAbout } from "./answer-about.ts";
import { shownQuantities } from "../design/compare-designs.ts";
import type { Design } from "../design/design.ts";
import { formatNumber, totalCost } from "../design/estimate-costs.ts";
import { ASSUMED } from "../request/requirements.ts";
import type { Thought } from "../think.ts";
import { bullets, capitalise, stageText } from "./markdown.ts";

/** Writes the reply to a message as Markdown. */
export function writeReply(request: string, thought: Thought, current: Design | null): string {
  if (thought.act === "ask") return askBack(request, thought.missing);
  if (thought.act === "suppose") return supposed(thought.design);
  if (thought.act === "answer")
    return current ? answerAbout(request, thought.topic, current) : askBack(request, "task");
  return thought.design.diff.length > 0 ? changed(thought.design) : described(thought.design);
}

function described(design: Design): string {
  return [
    `## ${design.title}`,
    `${design.rationale} ${conflicts(design)}`.trim(),
    `### What I understood\n\n${requirementsTable(design)}`,
    `### Plan\n\n${design.plan.map((stage, index) => `${index + 1}. ${stageText(stage)}`).join("\n")}`,
    `### Cost\n\n${costTable(design)}`,
    `### Alternatives\n\n${alternativesTable(design)}`,
    `### Risks\n\n${bullets(design.risks.map(({ risk, mitigation }) => `**${capitalise(risk)}**: ${mitigation}`))}`,
    `### Rollout\n\n${bullets(design.policy)}`,
    openQuestions(design),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function changed(design: Design): string {
  const stages = design.plan.filter(({ stage }) => ["Model", "Serving", "Evaluation", "Timeline"].includes(stage));
  const taskChanged = design.diff.some((line) => line.startsWith("Task:"));
  if (taskChanged) return `**What changed**\n\n${bullets(design.diff)}\n\n${described({ ...design, diff: [] })}`;
  return [
    `**What changed**\n\n${bullets(design.diff)}`,
    `${design.rationale} ${conflicts(design)}`.trim(),
    `### Plan now\n\n${bullets(stages.map(stageText))}`,
    `### Cost\n\n${costTable(design)}`,
    `### Alternatives\n\n${alternativesTable(design)}`,
  ].join("\n\n");
}

function supposed(design: Design): string {
  if (design.diff.length === 0) return "That would change nothing: the design already meets it.";
  return [
    `**That would change**\n\n${bullets(design.diff)}`,
    `${design.rationale} ${conflicts(design)}`.trim(),
    "Nothing is changed yet: say it as a requirement, without “what if”, and I will make it the next version.",
  ].join("\n\n");
}

function conflicts(design: Design): string {
  if (design.conflicts.length === 0) return "";
  return `**Not everything you asked for fits together**; this option comes closest, but ${design.conflicts.join("; ")}.`;
}

function requirementsTable({ requirements }: Design): string {
  const stated = shownQuantities(requirements).map(({ label, value }) => `| ${label} | ${value} |`);
  const assumed = [
    requirements.latencyMs === null && requirements.constraints.every((one) => one !== "scored in batches")
      ? `| Latency | ${ASSUMED.latencyMs} ms (assumed) |`
      : "",
    requirements.requestsPerSecond === null ? `| Load | ${ASSUMED.requestsPerSecond}/s (assumed) |` : "",
    requirements.dataRows === null ? `| Examples | ${formatNumber(ASSUMED.dataRows)} (assumed) |` : "",
  ];
  const constraints = requirements.constraints.map((one) => `| Constraint | ${one} |`);
  return [
    "| Requirement | Value |",
    "| --- | --- |",
    `| Task | ${requirements.task}: “${requirements.goal.slice(0, 120).replaceAll("|", "\\|")}” |`,
    ...stated,
    ...assumed.filter((row) => row !== ""),
    ...constraints,
  ].join("\n");
}

function costTable({ costs }: Design): string {
  const rows = costs.map(({ item, usdPerMonth }) => `| ${item} | $${formatNumber(usdPerMonth)} |`);
  return [
    "| Item | A month |",
    "| --- | ---: |",
    ...rows,
    `| **Total** | **$${formatNumber(totalCost(costs))}** |`,
  ].join("\n");
}

function alternativesTable({ alternatives }: Design): string {
  const rows = alternatives.map(
    (one) => `| ${one.name} | $${formatNumber(one.usdPerMonth)} | ${one.reason} | ${one.winsWhen} |`,
  );
  return ["| Instead | A month | Not chosen because | Wins when |", "| --- | ---: | --- | --- |", ...rows].join("\n");
}

function openQuestions({ requirements }: Design): string {
  const missing = [
    requirements.dataRows === null ? "How many examples do you have, and are they labelled?" : "",
    requirements.requestsPerSecond === null ? "How many predictions do you need, and when is the peak?" : "",
    requirements.monthlyBudgetUsd === null ? "What may it cost a month?" : "",
  ].filter((question) => question !== "");
  return missing.length === 0 ? "" : `### To make this firmer\n\n${bullets(missing.slice(0, 2))}`;
}

const QUESTIONS = {
  task: [
    "What should be predicted, found, recommended, answered or written?",
    "From which data, and roughly how much of it?",
    "How fast must an answer be, how many are needed, and what may it cost a month?",
  ],
  detail: [
    "What decision should the model support, and who acts on it?",
    "What does one example look like (a customer, an image, a document, a sensor reading), and is the outcome known for past ones?",
    "What happens today without a model?",
  ],
  change: [
    "Should a number change (latency, load, examples, budget, team, deadline)?",
    "Is there a new constraint (on-device, privacy, explanations, batch)?",
    "Or do you want to know more about the model, cost, risks, evaluation, rollout or alternatives?",
  ],
};

function askBack(request: string, missing: keyof typeof QUESTIONS): string {
  const said = request.trim().replaceAll(/\s+/g, " ").slice(0, 100);
  const opening = {
    task: `I design machine-learning systems, and from “${said}” I cannot tell yet what one should do.`,
    detail: `“${said}” leaves too much open for a useful design.`,
    change: `I do not see what “${said}” should change in the current design.`,
  }[missing];
  const example =
    missing === "change"
      ? "For example: “we only have 10k rows”, “make it cheaper”, “why not a neural network?”."
      : "For example: “detect card fraud at 2,000 transactions per second within 50 ms, with reasons for each case”.";
  return `${opening}\n\n${bullets(QUESTIONS[missing])}\n\n${example}`;
}
