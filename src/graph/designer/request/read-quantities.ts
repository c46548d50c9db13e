import type { Quantities } from "./requirements.ts";

const NUMBER = String.raw`(\d[\d,]*(?:\.\d+)?)\s*(k|m|mm|bn|b|thousand|million|billion)?`;
const MULTIPLES: Record<string, number> = {
  k: 1e3,
  thousand: 1e3,
  m: 1e6,
  mm: 1e6,
  million: 1e6,
  b: 1e9,
  bn: 1e9,
  billion: 1e9,
};
const SECONDS: Record<string, number> = { s: 1, second: 1, sec: 1, minute: 60, min: 60, hour: 3_600, day: 86_400 };
/** By the unit's first letter: day, week, month, quarter, and a sprint of two weeks. */
const WEEKS: Record<string, number> = { d: 1 / 5, w: 1, m: 4.33, q: 13, s: 2 };
const WORDS: Record<string, number> = { one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, a: 1, an: 1 };
const PER = String.raw`\s*(?:\/|per|a|an|each|every)\s*`;
const COUNTED = String.raw`(?:requests?|queries|transactions?|events?|images?|photos?|frames?|messages?|calls?|predictions?|orders?|documents?|tickets?|payments?|visits?|pages?|products?|readings?|emails?|claims?|users?|questions?|reviews?|parts?|scans?|searches|clicks?)`;
const EXAMPLES = String.raw`(?:rows?|records?|examples?|samples?|labels?|data ?points?|images?|photos?|documents?|transactions?|tickets?|customers?|users?|interactions?|orders?|reviews?|articles?|products?|scans?|hours of (?:audio|speech|recordings?)|recordings?|emails?|claims?|pages?|readings?|series)`;

/** Reads the numbers that a message states; null where it withdraws one ("no budget limit"). */
export function readQuantities(text: string): Partial<Quantities> {
  const found: { [Name in keyof Quantities]?: number | null | undefined } = {
    latencyMs: readLatency(text),
    requestsPerSecond: readRate(text),
    monthlyBudgetUsd: readBudget(text),
    dataRows: readRows(text),
    dataGb: readSize(text),
    teamSize: readTeam(text),
    deadlineWeeks: readDeadline(text),
    qualityTarget: readTarget(text),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

function amount(digits: string | undefined, multiple?: string): number {
  return Number((digits ?? "").replaceAll(",", "")) * (MULTIPLES[multiple?.toLowerCase() ?? ""] ?? 1);
}

function readLatency(text: string): number | null | undefined {
  if (
    /latency (?:does ?n[o']t|is ?n[o']t|is not|doesn’t) (?:matter|important)|no latency (?:limit|requirement)/i.test(
      text,
    )
  )
    return null;
  const millis = /(\d[\d,]*(?:\.\d+)?)\s*(?:ms|millis(?:econds?)?|milliseconds?)\b/i.exec(text);
  if (millis) return amount(millis[1]);
  const seconds =
    /(?:within|under|below|in|less than|latency|respond|answers?|at most|<|up to)\D{0,24}?(\d+(?:\.\d+)?)\s*(s|sec|seconds?)\b(?! (?:clips?|videos?))/i.exec(
      text,
    );
  return seconds ? amount(seconds[1]) * 1_000 : undefined;
}

function readRate(text: string): number | undefined {
  const named = new RegExp(`${NUMBER}\\s*(?:rps|qps|tps)\\b`, "i").exec(text);
  if (named) return amount(named[1], named[2]);
  const pattern = `${NUMBER}\\s*(?:\\w+ )?(?:${COUNTED})?${PER}(seconds?|sec|s|minutes?|min|hours?|days?|weeks?|months?)\\b`;
  for (const match of text.matchAll(new RegExp(pattern, "gi"))) {
    if (/[$€£]\s*$/.test(text.slice(0, match.index)) || /(?:usd|dollars|euros?|eur)/i.test(match[0])) continue;
    const unit = (match[3] ?? "").toLowerCase().replace(/s$/, "") || "s";
    const seconds = unit === "week" ? 604_800 : unit === "month" ? 2_592_000 : (SECONDS[unit] ?? 1);
    return Number((amount(match[1], match[2]) / seconds).toPrecision(3));
  }
  return undefined;
}

function readBudget(text: string): number | null | undefined {
  if (
    /(?:no|unlimited) budget|(?:budget|money|cost) (?:is ?n[o']t|is not|isn’t|is no) (?:a |an )?(?:limit|issue|problem|constraint)/i.test(
      text,
    )
  )
    return null;
  const money =
    new RegExp(`[$€£]\\s*${NUMBER}\\b`, "i").exec(text) ??
    new RegExp(`${NUMBER}\\s*(?:usd|dollars|euros?|eur)\\b`, "i").exec(text) ??
    new RegExp(`budget\\D{0,20}${NUMBER}\\b`, "i").exec(text);
  if (!money) return undefined;
  const after = text.slice(money.index, money.index + money[0].length + 25);
  const yearly = new RegExp(`(?:${PER}year|yearly|annual)`, "i").test(after);
  return Math.round(amount(money[1], money[2]) / (yearly ? 12 : 1));
}

function readRows(text: string): number | undefined {
  const pattern = `${NUMBER}\\s*(?:(?:historical|labell?ed|past|training|annotated|active|monthly|customer|clean|old|support|product)\\s+){0,2}${EXAMPLES}\\b(?!${PER}(?:second|sec|s|minute|min|hour|day|week|month)\\b)`;
  const matches = [...text.matchAll(new RegExp(pattern, "gi"))];
  return matches.length > 0 ? Math.max(...matches.map((match) => amount(match[1], match[2]))) : undefined;
}

function readSize(text: string): number | undefined {
  const size = /(\d[\d,]*(?:\.\d+)?)\s*(gb|tb|gigabytes?|terabytes?|pb)\b/i.exec(text);
  if (!size) return undefined;
  const unit = (size[2] ?? "").toLowerCase();
  return amount(size[1]) * (unit.startsWith("t") ? 1_000 : unit === "pb" ? 1e6 : 1);
}

function readTeam(text: string): number | undefined {
  if (/\b(?:just me|only me|i work alone|i am alone|solo developer)\b/i.test(text)) return 1;
  const team =
    /team of (\d+|one|two|three|four|five|six)\b/i.exec(text) ??
    /\b(\d+|one|two|three|four|five|six)\s+(?:\w+ )?(?:engineers?|developers?|data scientists?|people|persons?)\b/i.exec(
      text,
    );
  if (!team) return undefined;
  return WORDS[team[1]?.toLowerCase() ?? ""] ?? amount(team[1]);
}

function readDeadline(text: string): number | undefined {
  const stated =
    /(?:in|within|by|have|deadline\D{0,15}|live in|launch in|ship in|takes?)\s+(?:the next\s+|about\s+|only\s+)?(\d+|an?|one|two|three|four|five|six)\s+(days?|weeks?|months?|sprints?|quarters?)\b/i.exec(
      text,
    );
  if (!stated) return /\bby next quarter|end of the quarter|this quarter\b/i.test(text) ? 13 : undefined;
  const count = WORDS[stated[1]?.toLowerCase() ?? ""] ?? amount(stated[1]);
  return Math.max(1, Math.round(count * (WEEKS[(stated[2] ?? "").charAt(0).toLowerCase()] ?? 1)));
}

function readTarget(text: string): number | undefined {
  const target =
    /(\d{2}(?:\.\d+)?)\s*(?:%|percent)\s*(?:\w+ )?(?:accura\w+|recall|precision|correct|f1)/i.exec(text) ??
    /(?:accuracy|recall|precision|f1)\D{0,20}(\d{2}(?:\.\d+)?)\s*(?:%|percent)/i.exec(text);
  return target ? Number(target[1]) / 100 : undefined;
}
