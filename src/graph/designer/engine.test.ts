import fc from "fast-check";
import { expect, test } from "vitest";
import type { Design } from "./design/design.ts";
import { totalCost } from "./design/estimate-costs.ts";
import { think } from "./think.ts";
import { writeReply } from "./reply/write-reply.ts";

/** Runs a conversation: returns each message's thought, design and reply. */
function converse(...messages: string[]) {
  const present: { design: Design | null } = { design: null };
  return messages.map((message) => {
    const thought = think(message, present.design);
    if (thought.act === "design") present.design = thought.design;
    const { design } = present;
    return { thought, design, reply: writeReply(message, thought, design) };
  });
}
function designOf(...messages: string[]): Design {
  const design = converse(...messages).at(-1)?.design;
  if (!design) throw new Error(`no design from ${JSON.stringify(messages)}`);
  return design;
}

const PROMPTS: readonly [string, string, Partial<Design["requirements"]>][] = [
  [
    "Detect card fraud at 2,000 transactions per second within 50 ms",
    "fraud and anomaly detection",
    { requestsPerSecond: 2_000, latencyMs: 50 },
  ],
  [
    "Recommend films to our users, 5 million interactions, budget $3k a month",
    "recommendation",
    { dataRows: 5e6, monthlyBudgetUsd: 3_000 },
  ],
  ["Forecast demand for 400 products in 30 stores", "time-series forecasting", {}],
  [
    "We want to find scratches in photos of car doors, 3,000 labelled images, on the device",
    "computer vision",
    { dataRows: 3_000, constraints: ["runs on the device"] },
  ],
  [
    "Build a chatbot that answers questions about our HR documents; nothing leaves our own servers",
    "question answering over documents",
    { constraints: ["data stays on own servers", "no external API"] },
  ],
  [
    "Who will churn next month? 40k customers, team of 2, in 6 weeks",
    "churn and conversion prediction",
    { dataRows: 40_000, teamSize: 2, deadlineWeeks: 6 },
  ],
  ["Classify support tickets by topic, we have 800 labelled tickets", "text classification", { dataRows: 800 }],
  ["Transcribe call recordings in German, 200 hours of audio", "speech", { dataRows: 200 }],
  [
    "Improve relevance of our product search, 100 qps, latency 80ms",
    "search and ranking",
    { requestsPerSecond: 100, latencyMs: 80 },
  ],
  [
    "Credit scoring for loans, decisions must be explained to the regulator, 12,000 records",
    "tabular prediction",
    { dataRows: 12_000, constraints: ["decisions can be explained"] },
  ],
  [
    "Summarise legal contracts, 500 documents per day",
    "text generation and translation",
    { requestsPerSecond: 0.00579 },
  ],
  ["Predict machine failures from vibration sensors in our factory", "predictive maintenance", {}],
  [
    "sentiment of product reviews, 1 million reviews, no GPU",
    "text classification",
    { dataRows: 1e6, constraints: ["no GPU"] },
  ],
  [
    "Translate product descriptions into 12 languages, cheap",
    "text generation and translation",
    { constraints: ["cost before accuracy"] },
  ],
  ["Predict house prices from 5k records", "tabular prediction", { dataRows: 5_000 }],
  [
    "Anomaly detection on server logs without labels in real time",
    "fraud and anomaly detection",
    { constraints: ["features are fresh within seconds", "few or no labels"] },
  ],
  ["Count people in camera images at 30 frames per second per camera", "computer vision", { requestsPerSecond: 30 }],
  [
    "OCR for invoices scanned at 10k documents a day; GDPR applies",
    "computer vision",
    { constraints: ["personal data stays protected"] },
  ],
  ["personalised news feed for 2M users, p95 under 100ms", "recommendation", { dataRows: 2e6, latencyMs: 100 }],
  ["Energy load forecasting, hourly, nightly batch", "time-series forecasting", { constraints: ["scored in batches"] }],
  ["wake word detection from audio on the device", "speech", { constraints: ["runs on the device"] }],
  ["Spam filter for emails, 95% precision", "text classification", { qualityTarget: 0.95 }],
  ["Lead scoring for sales with 900 customers", "churn and conversion prediction", { dataRows: 900 }],
  [
    "RAG assistant over 50 GB of manuals, answers in under 3 seconds",
    "question answering over documents",
    { dataGb: 50, latencyMs: 3_000 },
  ],
  ["insurance claims: predict the payout, $20,000 per year budget", "tabular prediction", { monthlyBudgetUsd: 1_667 }],
  [
    "Detect tumours in x-ray scans, patient data, 2,000 scans",
    "computer vision",
    { dataRows: 2_000, constraints: ["personal data stays protected"] },
  ],
  [
    "Predict inventory needs for our shop, just me, in two months",
    "time-series forecasting",
    { teamSize: 1, deadlineWeeks: 9 },
  ],
  [
    "Money laundering detection, 3 million transactions a day",
    "fraud and anomaly detection",
    { requestsPerSecond: 34.7 },
  ],
  [
    "Route tickets to teams, 20k labelled tickets, 200 ms, €500 per month",
    "text classification",
    { latencyMs: 200, monthlyBudgetUsd: 500, dataRows: 20_000 },
  ],
  ["Predict delivery times for a courier, 600 requests per minute", "tabular prediction", { requestsPerSecond: 10 }],
  ["voice assistant dictation for doctors, offline", "speech", { constraints: ["runs on the device"] }],
  ["suggest products that are often bought together", "recommendation", {}],
];

test.each(PROMPTS)("%s", (prompt, task, stated) => {
  const design = designOf(prompt);
  expect(design.requirements.task).toBe(task);
  const { constraints, ...quantities } = stated;
  expect(design.requirements).toMatchObject(quantities);
  expect(design.requirements.constraints.toSorted()).toEqual((constraints ?? []).toSorted());
  expect(design.plan.map(({ stage }) => stage)).toContain("Evaluation");
  expect(design.alternatives.length).toBeGreaterThanOrEqual(2);
  for (const one of design.alternatives) expect(one.reason.length * one.winsWhen.length).toBeGreaterThan(0);
  expect(design.risks.length).toBeGreaterThanOrEqual(3);
  const [first] = converse(prompt);
  expect(first?.reply).toContain(`**$${totalCost(design.costs).toLocaleString("en-US")}**`);
  expect(first?.reply).not.toMatch(/undefined|null|NaN|Infinity/);
  expect(first?.reply.length).toBeLessThan(6_000);
});

test("different requests get different replies, and the same request the same reply", () => {
  const replies = PROMPTS.map(([prompt]) => converse(prompt)[0]?.reply);
  expect(new Set(replies).size).toBe(PROMPTS.length);
  expect(PROMPTS.map(([prompt]) => converse(prompt)[0]?.reply)).toEqual(replies);
});

test.each([
  ["few examples rule out models that need many", "Recommend songs to users, 2k interactions", "two-tower"],
  ["a tight latency rules out hosted models", "Summarise messages within 100 ms", "hosted"],
  ["own servers rule out hosted models", "Chatbot for our documents, on-premises", "hosted"],
  [
    "explanations rule out neural networks",
    "Classify emails, 50k emails, every decision must be explainable",
    "encoder",
  ],
  ["no GPU rules out models on GPUs", "Transcribe podcasts, 500 hours of audio, no GPU", "fine-tuned streaming"],
])("%s", (_rule, prompt, excluded) => {
  const design = designOf(prompt);
  expect(design.conflicts).toEqual([]);
  expect(design.model.name).not.toContain(excluded);
  expect(design.alternatives.some((one) => one.name.includes(excluded))).toBe(true);
});

test("the reply names requirements that conflict", () => {
  const [turn] = converse("Summarise contracts on the device within 1 ms for $50 a month, 95% accuracy");
  expect(turn?.design?.conflicts).not.toEqual([]);
  expect(turn?.reply).toContain("Not everything you asked for fits together");
});

const FRAUD = "Detect card fraud at 2,000 transactions per second within 50 ms, 3 million transactions of history";
test.each<[string, Partial<Design["requirements"]>, string]>([
  ["we only have 10k rows", { dataRows: 10_000 }, "Examples: 3,000,000 → 10,000"],
  ["make it cheaper", { constraints: ["cost before accuracy"] }, "Cost: "],
  ["latency must be 20 ms", { latencyMs: 20 }, "Latency: 50 ms → 20 ms"],
  ["double the traffic", { requestsPerSecond: 4_000 }, "Load: 2,000/s → 4,000/s"],
  ["the budget is 900 dollars a month", { monthlyBudgetUsd: 900 }, "Budget: not stated → $900 a month"],
  ["It has to be on-premises now.", { constraints: ["data stays on own servers"] }, "Added: data stays on own servers"],
])("a later turn “%s” changes the design and lists the changes", (message, expected, line) => {
  const [, turn] = converse(FRAUD, message);
  expect(turn?.thought.act).toBe("design");
  expect(turn?.design?.requirements).toMatchObject(expected);
  expect(turn?.reply).toContain("**What changed**");
  expect(turn?.reply).toContain(line);
});

test("a constraint can be withdrawn, and other numbers stay", () => {
  const before = designOf(FRAUD, "it must run on-premises and in real time");
  expect(before.requirements.constraints).toHaveLength(2);
  const after = designOf(FRAUD, "it must run on-premises and in real time", "it does not need to be real-time");
  expect(after.requirements.constraints).toEqual(["data stays on own servers"]);
  expect(after.requirements.latencyMs).toBe(50);
  expect(after.diff).toContain("Dropped: features are fresh within seconds");
});

test.each([
  ["why not a neural network?", /graph neural network/i],
  ["compare with simple rules", /\| isolation forest with velocity rules \|/],
  ["how much does it cost?", /Together \*\*\$[\d,]+ a month\*\*/],
  ["what could go wrong?", /adversaries adapt/],
  ["how do we measure success?", /recall by amount/],
  ["how do we roll it out?", /Shadow for one week/],
  ["how long will it take?", /weeks for 2 people/],
  ["does it scale?", /at peak ÷/],
  ["summarise the design please", /^### Fraud/],
])("“%s” is answered from the design without changing it", (question, expected) => {
  const [first, second] = converse(FRAUD, question);
  expect(second?.thought.act).toBe("answer");
  expect(second?.reply).toMatch(expected);
  expect(second?.design).toBe(first?.design);
});

test("“what if” shows the differences and keeps the design", () => {
  const [first, second] = converse("Find defects in photos, 30k labelled images", "what if it ran on-device?");
  expect(second?.thought.act).toBe("suppose");
  expect(second?.reply).toContain("Added: runs on the device");
  expect(second?.design).toBe(first?.design);
});

test("another task in the same thread starts a new design", () => {
  const [, second] = converse(FRAUD, "Now design a system that recommends films to our users");
  expect(second?.design?.requirements).toMatchObject({ task: "recommendation", latencyMs: null });
  expect(second?.reply).toContain("Task: fraud and anomaly detection → recommendation");
});

test.each([
  ["hello", "What should be predicted"],
  ["what's the weather like?", "What should be predicted"],
  ["I want to use AI", "What decision should the model support"],
  ["predict something", "What decision should the model support"],
  ["🦄", "What should be predicted"],
])("“%s” gets questions back", (message, question) => {
  const [turn] = converse(message);
  expect(turn?.thought.act).toBe("ask");
  expect(turn?.reply).toContain(question);
});

test("any messages in any order give replies without broken numbers", () => {
  const pieces = fc.constantFrom(
    ...PROMPTS.map(([prompt]) => prompt),
    "make it cheaper",
    "10x traffic",
    "no budget limit",
    "0 rows",
    "why?",
    "0 ms",
    "$0",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string()), { minLength: 1, maxLength: 5 }), (messages) => {
      for (const { reply } of converse(...messages)) {
        expect(reply.length).toBeGreaterThan(20);
        expect(reply).not.toMatch(/undefined|\bNaN\b|Infinity/);
      }
    }),
    { numRuns: 200 },
  );
});
