export interface Intent {
  words: number;
  aboutMachineLearning: boolean;
  isQuestion: boolean;
  /** "What if …": the user does not want the change made yet. */
  supposes: boolean;
  /** The message starts another task. */
  startsOver: boolean;
  /** Null when the message has no particular subject. */
  topic: Topic | null;
}

/** By subject of a question; the first match counts. */
const TOPICS = [
  [
    "compare",
    /\bcompar\w*|\bversus\b|\bvs\.?\b|difference between|better than|pros and cons|trade-?offs?|alternatives?|other options/i,
  ],
  [
    "why-not",
    /why (?:not|didn'?t|don'?t|no|isn'?t)|instead of|rather than|could (?:we|i|you) (?:also )?use|what about (?:a |an |using )|should (?:we|i) use/i,
  ],
  ["cost", /\bcosts?\b|price|expensive|budget|how much (?:money|will|would|does|is it)|\bbill\b|spend/i],
  ["risk", /\brisks?\b|go wrong|fail(?:s|ure)?\b|dangers?|bias|drift|attack/i],
  ["evaluation", /\bmetrics?\b|evaluat\w*|measur\w*|how (?:good|accurate)|threshold|accuracy|success|a\/b/i],
  ["rollout", /roll ?(?:it |this )?out|deploy\w*|launch|canary|shadow|roll ?back|go live|production/i],
  ["timeline", /how long|timeline|when (?:can|will)|weeks|schedule|team|who do (?:we|i) need|people/i],
  ["data", /\bdata\b|labels?|features?|dataset|training set|examples/i],
  ["scale", /\bscale\b|throughput|nodes?|servers?|capacity|latency|traffic|load|performance|fast/i],
  ["model", /\bwhy\b|\bmodel\b|algorithm|architecture|rationale|reason|approach/i],
  ["summary", /summar\w*|overview|recap|show (?:me )?(?:the )?(?:design|plan)|where are we|present design|the plan/i],
] as const satisfies readonly (readonly [string, RegExp])[];

export type Topic = (typeof TOPICS)[number][0];

/** Reads the intent of a message from its wording. */
export function readIntent(request: string): Intent {
  const text = request.trim();
  return {
    words: text.split(/\s+/).filter((word) => word !== "").length,
    aboutMachineLearning:
      /\b(?:ai|ml|machine[- ]learning|models?|neural|predict\w*|data science|train(?:ing)?|dataset|algorithm|learn from|automat\w*|deep learning)\b/i.test(
        text,
      ),
    isQuestion:
      /\?\s*$|^(?:why|how|what|which|when|who|where|should|could|can|is|are|does|do|would|will|compare|explain|show|tell)\b/i.test(
        text,
      ),
    supposes:
      /\bwhat if\b|\bhow about\b|\bsuppose\b|\bwhat would (?:change|happen)|\bif we (?:had|were|used|went)/i.test(text),
    startsOver:
      /\b(?:now|instead|next|new (?:project|system|task|topic)|another|different (?:project|task|problem)|switch|start over|forget)\b/i.test(
        text,
      ) &&
      /\b(?:design|build|detect|recommend|predict|forecast|classify|want|need|project|task|system|create|make|switch)\w*/i.test(
        text,
      ),
    topic: TOPICS.find(([, words]) => words.test(text))?.[0] ?? null,
  };
}
