import { readQuantities } from "./read-quantities.ts";
import type { Change, Constraint } from "./requirements.ts";

const CONSTRAINT_WORDS: readonly [Constraint, RegExp][] = [
  [
    "personal data stays protected",
    /gdpr|privacy|private data|personal data|hipaa|patient|medical|confidential|\bpii\b|sensitive data/i,
  ],
  ["data stays on own servers", /on[- ]prem\w*|(?:our|own) (?:servers|data ?cent\w+)|air[- ]?gapped|self[- ]hosted/i],
  [
    "runs on the device",
    /on[- ](?:the )?device|on the phone|on (?:a )?(?:raspberry|microcontroller)|\bedge\b|mobile app|offline|without internet/i,
  ],
  ["decisions can be explained", /explain(?:ab|ed|ation)|interpretab|regulat(?:ed|or|ion)|audit|right to know why/i],
  ["features are fresh within seconds", /real[- ]?time|streaming|live (?:data|events)|instantly/i],
  ["scored in batches", /\bbatch(?:es)?\b|nightly|overnight|once a (?:day|week)|weekly (?:report|run)|daily run/i],
  [
    "cost before accuracy",
    /cheap\w*|low[- ]cost|tight budget|small budget|save money|less expensive|lower (?:the )?cost|reduce (?:the )?cost/i,
  ],
  [
    "no external API",
    /(?:no|not|without|can'?t use|cannot use|never)(?: \w+){0,2} (?:external |third[- ]party |hosted |cloud )(?:apis?|services?|providers?|models?)|no openai|nothing leaves|must not leave/i,
  ],
  ["no GPU", /(?:no|without|don'?t have(?: any)?|zero) gpus?|cpu[- ]only|only cpus?/i],
  [
    "no neural network",
    /(?:no|without|avoid|not use|don'?t (?:want|use)(?: a| any)?)\s+(?:a )?(?:neural|deep[- ]learning|deep nets?)/i,
  ],
  [
    "few or no labels",
    /(?:no|without|few|hardly any|not (?:many|enough)|unlabell?ed|don'?t have(?: any)?)\s*(?:labels?|labell?ed|annotat\w+|ground truth)|unlabell?ed|nothing is labell?ed/i,
  ],
];
/** A negation that withdraws the constraint after it in the same clause. */
const NEGATION =
  /(?:\bno\b|\bnot\b|n['’]t\b|\bwithout\b|no longer|\bdrop\b|\bremove\b|instead of|forget|never ?mind|rather than|skip)(?:\s+(?:need|needs|have|has|be|to|run|it|the|this|a|an|any|longer|use|using|must|required?|in|on|from|our)\b){0,5}\s*$/i;

const FACTORS: readonly [RegExp, keyof Change["factors"], number][] = [
  [
    /(?:twice|double|2x) (?:the |as much )?(?:traffic|load|volume|requests|users)|(?:traffic|load|volume)\D{0,12}(?:doubles|double|2x)/i,
    "requestsPerSecond",
    2,
  ],
  [
    /(?:10x|ten times|tenfold)(?: the| more| as much)? (?:traffic|load|volume|requests|users)|(?:traffic|load|volume)\D{0,20}(?:10x|ten times|tenfold)/i,
    "requestsPerSecond",
    10,
  ],
  [/half (?:the |of the )?(?:traffic|load|volume)/i, "requestsPerSecond", 0.5],
  [/half (?:the |of the )?budget|halve the budget/i, "monthlyBudgetUsd", 0.5],
  [/(?:twice|double) the budget/i, "monthlyBudgetUsd", 2],
  [
    /(?:make it|must be|should be|needs to be|has to be) (?:much )?(?:faster|quicker|snappier)|lower (?:the )?latency|speed it up/i,
    "latencyMs",
    0.5,
  ],
];

/** Reads the numbers and constraints that a message states or withdraws. */
export function readChange(text: string): Change {
  const quantities = readQuantities(text);
  const add: Constraint[] = [];
  const remove: Constraint[] = [];
  for (const [constraint, words] of CONSTRAINT_WORDS) {
    const match = words.exec(text);
    if (!match) continue;
    // Constraints such as "no GPU" contain the negation themselves, so it does not withdraw them.
    const negated = !/^(?:no|few) /.test(constraint) && NEGATION.test(clauseBefore(text, match.index));
    (negated ? remove : add).push(constraint);
  }
  if (
    /(?:accuracy|quality) (?:matters|is) (?:more|most|first)|best (?:possible )?(?:accuracy|quality)|money is no object/i.test(
      text,
    )
  )
    remove.push("cost before accuracy");
  if (/(?:we|now) (?:now )?(?:have|got|bought) (?:\w+ )?gpus?/i.test(text)) remove.push("no GPU");
  const factors = FACTORS.filter(([words, name]) => words.test(text) && quantities[name] === undefined);
  return { quantities, factors: Object.fromEntries(factors.map(([, name, factor]) => [name, factor])), add, remove };
}

function clauseBefore(text: string, index: number): string {
  return (
    text
      .slice(0, index)
      .split(/[.,;:!?\n]|\bbut\b|\band\b/i)
      .at(-1) ?? ""
  );
}
